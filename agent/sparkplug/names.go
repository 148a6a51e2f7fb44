package sparkplug

// Names are the station's in the plant's Sparkplug namespace. Group and Node together are unique at
// the broker.
type Names struct {
	Group  string
	Node   string
	Device string // what judges tires: camera and network
	Host   string // the primary host application that must be online; empty: births wait for nobody
}

const namespace = "spBv1.0"

func (n Names) node(kind string) string { return namespace + "/" + n.Group + "/" + kind + "/" + n.Node }

func (n Names) device(kind string) string { return n.node(kind) + "/" + n.Device }

// Command is the topic of commands to the station.
func (n Names) Command() string { return n.node("NCMD") }

// State is the topic on which the primary host says whether it is online; empty without one.
func (n Names) State() string {
	if n.Host == "" {
		return ""
	}
	return namespace + "/STATE/" + n.Host
}
