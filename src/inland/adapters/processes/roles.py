"""The roles of processes, as they are called everywhere."""

SUPERVISOR, CONTROL, GATEWAY, ENGINE = "supervisor", "control", "gateway", "engine"
