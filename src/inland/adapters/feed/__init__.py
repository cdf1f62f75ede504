"""Snapshots and leases from control to gateways, over one unix socket."""
