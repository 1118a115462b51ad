package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/joist-go/joist/cache"
)

// page is one answer, ready to send. The header values are made once, because most answers come from the cache.
type page struct {
	body   []byte
	etag   []string
	length []string
}

// upstream is the JSON API that the service proxies.
type upstream struct {
	base    string
	maxBody int64
	client  *http.Client
	tracer  trace.Tracer
}

func newUpstream(s settings, obs *observability) (*upstream, error) {
	base, err := url.Parse(s.upstream)
	if err != nil {
		return nil, fmt.Errorf("users: -upstream: %w", err)
	}
	if base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return nil, fmt.Errorf("users: -upstream is %q, but must be an http or https URL with a host", s.upstream)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = s.concurrency
	transport.MaxResponseHeaderBytes = 64 << 10
	return &upstream{
		base:    strings.TrimRight(s.upstream, "/"),
		maxBody: s.maxBody,
		client:  &http.Client{Transport: transport},
		tracer:  obs.traces.Tracer(scopeName),
	}, nil
}

// statusError is an answer of the upstream that is no success.
type statusError struct {
	status int
	after  time.Duration
}

func (e *statusError) Error() string             { return fmt.Sprintf("upstream: status %d", e.status) }
func (e *statusError) RetryAfter() time.Duration { return e.after }

// badAnswerError is a success of the upstream that cannot be passed on.
type badAnswerError struct{ what string }

func (e *badAnswerError) Error() string { return "upstream: " + e.what }

// isFailure tells the breaker what speaks against the upstream: everything, but that it does not know a user.
func isFailure(err error) bool { return !errors.Is(err, cache.ErrNotFound) }

// isTransient tells the retry what may go better the next time.
func isTransient(err error) bool {
	if status, ok := errors.AsType[*statusError](err); ok {
		return status.status >= 500 || status.status == http.StatusTooManyRequests
	}
	_, bad := errors.AsType[*badAnswerError](err)
	return !bad && !errors.Is(err, cache.ErrNotFound)
}

// fetch makes one call. A user that the upstream does not know is cache.ErrNotFound.
func (u *upstream) fetch(ctx context.Context, id int64) (page, error) {
	ctx, span := u.tracer.Start(ctx, "GET upstream", trace.WithSpanKind(trace.SpanKindClient))
	defer span.End()
	p, err := u.call(ctx, id, span)
	if err != nil && isFailure(err) {
		span.SetStatus(codes.Error, "")
	}
	return p, err
}

func (u *upstream) call(ctx context.Context, id int64, span trace.Span) (page, error) {
	target := u.base + "/users"
	if id != allUsers {
		target += "/" + strconv.FormatInt(id, 10)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return page{}, err
	}
	req.Header.Set("Accept", "application/json")
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(req.Header))
	resp, err := u.client.Do(req)
	if err != nil {
		return page{}, err
	}
	defer resp.Body.Close()
	span.SetAttributes(attribute.Int("http.response.status_code", resp.StatusCode))

	// One byte more than may be: so an answer that is too long is told from one that just fits.
	body, err := io.ReadAll(io.LimitReader(resp.Body, u.maxBody+1))
	switch {
	case err != nil:
		return page{}, err
	case resp.StatusCode == http.StatusNotFound && id != allUsers:
		return page{}, cache.ErrNotFound
	case resp.StatusCode != http.StatusOK:
		return page{}, &statusError{resp.StatusCode, retryAfter(resp.Header)}
	case int64(len(body)) > u.maxBody:
		return page{}, &badAnswerError{"answer too long"}
	}
	return newPage(resp.Header.Get("Content-Type"), body, id)
}

// newPage checks an answer before anything keeps it: it is JSON, a list for all users, an object for one.
func newPage(contentType string, body []byte, id int64) (page, error) {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil || media != "application/json" && !strings.HasSuffix(media, "+json") {
		return page{}, &badAnswerError{"answer is not declared as JSON"}
	}
	opening := byte('{')
	if id == allUsers {
		opening = '['
	}
	if !bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte{opening}) || !json.Valid(body) {
		return page{}, &badAnswerError{"answer is not the JSON it should be"}
	}
	hash := fnv.New64a()
	hash.Write(body)
	return page{
		body:   body,
		etag:   []string{fmt.Sprintf(`"%016x"`, hash.Sum64())},
		length: []string{strconv.Itoa(len(body))},
	}, nil
}

// retryAfter reads the seconds form; what the upstream says in other ways is not worth more than its status.
func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || seconds < 0 || seconds > 3600 {
		return 0
	}
	return time.Duration(seconds) * time.Second
}
