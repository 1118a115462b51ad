package main

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/joist-go/joist/cache"
	"github.com/joist-go/joist/ratelimit"
	"github.com/joist-go/joist/ratelimit/ratelimithttp"
)

// maxHeaderFields bounds the names and values of a request's header fields together, in bytes.
const (
	maxHeaderFields      = 16 << 10
	headerFieldsTooLarge = "Header fields may have 16 KiB together."
)

// maxURI bounds a request's URI, in bytes.
const maxURI = 8 << 10

// maxID is the largest id that is worth asking the upstream for.
const maxID = 1 << 53

var jsonType = []string{"application/json"}

func (svc *service) handler() http.Handler {
	limited := ratelimithttp.Middleware(ratelimit.TakerOf(svc.clients), ratelimithttp.Options{Key: ratelimithttp.ClientIP()})
	mux := http.NewServeMux()
	route := func(pattern string, h http.Handler) { mux.Handle(pattern, svc.traced(pattern, svc.checked(h))) }
	route("/users", limited(http.HandlerFunc(svc.getUsers)))
	route("/users/{id}", limited(http.HandlerFunc(svc.getUser)))
	route("/metrics", promhttp.HandlerFor(svc.registry, promhttp.HandlerOpts{}))
	route("/healthz", http.HandlerFunc(svc.healthz))
	route("/readyz", http.HandlerFunc(svc.readyz))
	route("/", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeProblem(w, problem{Status: http.StatusNotFound, Detail: "There is nothing at this path."})
	}))
	return mux
}

// checked refuses what no route serves: other methods, and what is too large.
func (svc *service) checked(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if svc.draining.Load() {
			w.Header().Set("Connection", "close")
		}
		switch {
		case len(r.RequestURI) > maxURI:
			writeProblem(w, problem{Status: http.StatusRequestURITooLong, Detail: "A URI may have 8 KiB."})
		case headerSize(r) > maxHeaderFields:
			writeProblem(w, problem{Status: http.StatusRequestHeaderFieldsTooLarge, Detail: headerFieldsTooLarge})
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			writeProblem(w, problem{Status: http.StatusMethodNotAllowed, Detail: "Only GET and HEAD are served."})
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func headerSize(r *http.Request) int {
	size := len(r.Host)
	for name, values := range r.Header {
		for _, v := range values {
			size += len(name) + len(v)
		}
	}
	return size
}

func (svc *service) getUsers(w http.ResponseWriter, r *http.Request) { svc.serve(w, r, allUsers) }

func (svc *service) getUser(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil || id < 1 || id > maxID || strconv.FormatInt(id, 10) != r.PathValue("id") {
		writeProblem(w, problem{Status: http.StatusBadRequest, Detail: "A user's id is a positive whole number."})
		return
	}
	svc.serve(w, r, id)
}

// serve answers with an entry of the cache and tells the caches on the way how old it is and how long it may be used.
func (svc *service) serve(w http.ResponseWriter, r *http.Request, id int64) {
	entry, err := svc.users.GetEntry(r.Context(), id)
	if err != nil {
		svc.fail(w, r, err)
		return
	}
	own := &[...]string{strconv.FormatInt(int64(entry.Age/time.Second), 10), svc.cacheControl(entry), cacheStatus(entry)}
	h := w.Header()
	h["Content-Type"] = jsonType
	h["Etag"] = entry.Value.etag
	h["Age"] = own[0:1:1]
	h["Cache-Control"] = own[1:2:2]
	h["Cache-Status"] = own[2:3:3]
	if slices.ContainsFunc(r.Header["If-None-Match"], func(etags string) bool { return strings.Contains(etags, entry.Value.etag[0]) }) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h["Content-Length"] = entry.Value.length
	_, _ = w.Write(entry.Value.body) // a client that went away is no failure of ours
}

// cacheControl gives caches on the way the life that the entry has here: its time to live, jitter included, from which
// they subtract Age, and the times for which they may serve it stale.
func (svc *service) cacheControl(e cache.Entry[page]) string {
	field := make([]byte, 0, 96)
	field = append(field, "max-age="...)
	field = strconv.AppendInt(field, int64((e.Age+e.FreshFor)/time.Second), 10)
	return string(append(field, svc.staleControl...))
}

func staleControl(s settings) string {
	return fmt.Sprintf(", stale-while-revalidate=%d, stale-if-error=%d", s.staleRefresh/time.Second, s.staleIfError/time.Second)
}

// cacheStatus words RFC 9211: hit, or why the upstream was asked, and the seconds of freshness left, negative when the
// answer is stale.
func cacheStatus(e cache.Entry[page]) string {
	if e.Source == cache.SourceLoad {
		return "joist; fwd=miss"
	}
	field := make([]byte, 0, 48)
	field = append(field, "joist; hit; ttl="...)
	field = strconv.AppendInt(field, int64(e.FreshFor/time.Second), 10)
	if e.Stale {
		field = append(field, "; detail=stale"...)
	}
	return string(field)
}

// healthz says that the process works.
func (svc *service) healthz(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

// readyz says whether the service wants new requests.
func (svc *service) readyz(w http.ResponseWriter, _ *http.Request) {
	if svc.draining.Load() {
		writeProblem(w, problem{Status: http.StatusServiceUnavailable, Detail: "The service is draining."})
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"status": "ready"})
}
