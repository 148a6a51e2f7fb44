package sparkplug

// Names are the station's names in the plant's Sparkplug namespace. Group and Node together must be
// unique at the broker.
type Names struct {
	Group  string
	Node   string
	Device string // the device that judges tires: camera and network
	Host   string // the primary host application; births wait until it is online; empty: none
}

const namespace = "spBv1.0"

func (n Names) node(kind string) string { return namespace + "/" + n.Group + "/" + kind + "/" + n.Node }

func (n Names) device(kind string) string { return n.node(kind) + "/" + n.Device }

// Command returns the topic of commands to the station.
func (n Names) Command() string { return n.node("NCMD") }

// State returns the topic on which the primary host reports its state; empty without a host.
func (n Names) State() string {
	if n.Host == "" {
		return ""
	}
	return namespace + "/STATE/" + n.Host
}
