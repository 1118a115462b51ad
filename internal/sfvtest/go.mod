module github.com/joist-go/joist/internal/sfvtest

go 1.26.0

require (
	github.com/dunglas/httpsfv v1.1.2
	github.com/joist-go/joist v0.0.0
	pgregory.net/rapid v1.3.0
)

require (
	github.com/go-logr/logr v1.4.1 // indirect
	github.com/go-logr/stdr v1.2.2 // indirect
	go.opentelemetry.io/otel v1.25.0 // indirect
	go.opentelemetry.io/otel/metric v1.25.0 // indirect
	go.opentelemetry.io/otel/trace v1.25.0 // indirect
)

replace github.com/joist-go/joist => ../..
