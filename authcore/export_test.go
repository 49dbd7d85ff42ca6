package authcore

// What tests outside of the package need from inside of it.

// KindSession is the kind that session tokens are made as.
const KindSession = kindSession

// EventLogSize is how many events the node remembers.
const EventLogSize = len(eventLog{}.ring)

// Beat is what the node does every few seconds.
func (n *Node) Beat() { n.beat() }

// Rotate is what the node does every hour.
func (n *Node) Rotate() { n.rotate() }

// Evict drops what the node caches, as the pressure of other sessions would.
func (n *Node) Evict() { n.cache.InvalidateAll() }

// Apply takes events to the node, as a store that holds them would.
func (n *Node) Apply(events ...Event) { n.apply(events) }
