module github.com/longwire/longwire/examples

go 1.26.0

require (
	github.com/coder/websocket v1.8.15
	github.com/longwire/longwire v0.0.0
)

require golang.org/x/sys v0.49.0 // indirect

replace github.com/longwire/longwire => ../
