// Command tirewatch-agent is the station's daemon: it watches the belt, judges each tire and sends
// the verdict to the broker.
//
// A file here is a command: its flags, its help and its output. The work is done by package agent
// and the packages below it. Package cli has the rules for errors and exit codes.
package main

import (
	"errors"
	"io"
	"io/fs"

	"github.com/spf13/cobra"

	"tirewatch/agent/config"
	"tirewatch/cmd/internal/cli"
	"tirewatch/vision/kernel"
)

func main() { cli.Main(newRootCmd()) }

func newRootCmd() *cobra.Command {
	root := &cobra.Command{
		Use:   "tirewatch-agent",
		Short: "Inspect tires on a belt",
		Long: `tirewatch-agent is the daemon of a tire inspection station: it watches the belt with a camera, judges
each tire with a signed model and publishes the verdicts by MQTT.

Set up a new station:

  sudo tirewatch-agent provision
  sudo tirewatch-agent doctor --config /etc/tirewatch/station.toml
  sudo systemctl enable --now tirewatch-agent

tirewatch-agent example prints a configuration with every key.`,
	}
	root.AddCommand(newRunCmd(), newCheckCmd(), newSelftestCmd(), newExampleCmd(), newProvisionCmd(), newDoctorCmd(),
		newLampTestCmd(), newAlarmCmd(), newReviewCmd(), newPasswordCmd())
	cli.ExitCode(root, cli.Misused, "The command line is wrong, or the configuration of run. Nothing was done.")
	return root
}

// stationPath is the configuration file of the service.
const stationPath = "/etc/tirewatch/station.toml"

// Entries of manual pages that several commands have.
var (
	stationFile = cli.Note{Name: stationPath,
		Text: "The configuration of the service. tirewatch-agent example prints one with every key."}
	journalFile = cli.Note{Name: "/var/lib/tirewatch/journal.db",
		Text: "The journal: every verdict. journal.path names another file."}
	cropFolder = cli.Note{Name: "/var/lib/tirewatch/journal.db-crops/",
		Text: "The kept crops, with the labelled ones in crack, normal and unsure."}
	modelFolder = cli.Note{Name: "/var/lib/tirewatch/models/",
		Text: "The slots of the models and their events, events.jsonl. model.dir names another folder."}
	credentialsPath = cli.Note{Name: "CREDENTIALS_DIRECTORY",
		Text: "The folder of systemd credentials, for files that the configuration names as credential:NAME."}
	pathVariable   = cli.Note{Name: "PATH", Text: "Where systemctl and timedatectl are found."}
	kernelVariable = cli.Note{Name: kernel.Env,
		Text: "The instruction set to compute with: generic, neon or sdot on an ARM board, " +
			"generic, avx2 or avx512vnni on a PC. Without it the fastest one is used."}
)

// addConfigFlag adds --config, and what a page says about the file that it names.
func addConfigFlag(c *cobra.Command, path *string) {
	c.Flags().StringVar(path, "config", "", "the station's configuration `file`")
	cli.Files(c, stationFile)
	cli.Environment(c, credentialsPath)
}

// loadConfig reads the file of --config.
func loadConfig(c *cobra.Command, path string) (*config.Config, error) {
	if err := requireConfig(c); err != nil {
		return nil, err
	}
	cfg, err := config.Load(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, cli.Hint(err, "tirewatch-agent example prints a configuration to start from")
	}
	return cfg, err
}

func requireConfig(c *cobra.Command) error {
	return cli.Hint(cli.Require(c, "config"), "name the station, for example --config "+stationPath)
}

func newExampleCmd() *cobra.Command {
	return &cobra.Command{
		Use:     "example",
		Short:   "Print a configuration to start from",
		Long:    "Prints a configuration with every key, its default and an explanation.",
		Example: "  tirewatch-agent example > station.toml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := io.WriteString(cmd.OutOrStdout(), config.Example())
			return err
		},
	}
}
