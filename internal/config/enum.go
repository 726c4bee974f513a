package config

// Access is what a role may do with the sessions.
type Access string

// The levels of access.
const (
	ReadWrite Access = "readwrite"
	ReadOnly  Access = "readonly"
	NoAccess  Access = "none"
)

// FirewallBackend is the variant of iptables that is driven.
type FirewallBackend string

// The backends; with BackendAuto the host's own choice is followed.
const (
	BackendAuto   FirewallBackend = "auto"
	BackendNFT    FirewallBackend = "nft"
	BackendLegacy FirewallBackend = "legacy"
	BackendOff    FirewallBackend = "off"
)

// Manage is whether PostgreSQL's own files are written.
type Manage string

// ManageAuto writes an include file of our own where that is possible; ManageVerify only reports.
const (
	ManageAuto   Manage = "auto"
	ManageVerify Manage = "verify"
)

// Listen is what PostgreSQL binds to.
type Listen string

// ListenAll binds to every address, ListenGateways to the gateway addresses besides loopback.
const (
	ListenAll      Listen = "all"
	ListenGateways Listen = "gateways"
)

// Restart is whether PostgreSQL may be restarted for a setting that needs it.
type Restart string

// RestartWhenIdle waits until no session but ours is open.
const (
	RestartWhenIdle Restart = "when-idle"
	RestartNever    Restart = "never"
)

// Hardening is how much is closed beyond what the documentation promises.
type Hardening string

// The levels of hardening.
const (
	HardeningStandard Hardening = "standard"
	HardeningStrict   Hardening = "strict"
)

// Drift is what the daemon does about a difference that it finds after the first pass.
type Drift string

// DriftRepair mends the difference, DriftReport only tells.
const (
	DriftRepair Drift = "repair"
	DriftReport Drift = "report"
)
