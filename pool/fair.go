package pool

import "context"

type tenantKey struct{}

// WithTenant returns a context whose tasks belong to the given tenant: a user, a customer, a kind of work. A pool with
// Options.Fair lets tenants take turns; other pools ignore it. A task's own context keeps the tenant, so that the tasks
// which it submits are the tenant's too. Contexts without a tenant, and those of "", are one more tenant.
func WithTenant(ctx context.Context, tenant string) context.Context {
	return context.WithValue(ctx, tenantKey{}, tenant)
}

func tenantOf(ctx context.Context) string {
	tenant, _ := ctx.Value(tenantKey{}).(string)
	return tenant
}
