package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"tirewatch/agent/config"
	"tirewatch/agent/provision"
	"tirewatch/cmd/internal/cli"
)

func newProvisionCmd() *cobra.Command {
	path := stationPath
	var a provision.Answers
	var force bool
	cmd := &cobra.Command{
		Use:   "provision",
		Short: "Write the configuration of a new station",
		Long: `Provision writes a station's configuration from flags. On a terminal it asks for everything that the
flags do not say. Key, password, certificate and first model are copied beside the configuration,
where the agent can read them. All answers are checked before anything is written. Existing files
are replaced only with --force. In the end provision checks the station.

By default there is a verdict for each tire that the camera sees pass, and no ejector. If a GPIO
line is used, provision prints how to give the service access to the GPIO chips.`,
		Example: `  sudo tirewatch-agent provision
  sudo tirewatch-agent provision --station hamburg/line1/station3 --camera usb \
      --broker mqtts://broker --username station3 --password-file secret --key plant.key.pub --model first.tire
  sudo tirewatch-agent provision --station hamburg/line1/station3 --camera usb --key plant.key.pub --model first.tire \
      --photo-eye GPIO17 --ejector GPIO27 --ejector-delay 1.2s`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if in, ok := cli.Terminal(cmd.InOrStdin()); ok {
				i := &interview{flags: cmd.Flags().Changed, in: in, lines: bufio.NewReader(in), out: cmd.ErrOrStderr()}
				if err := i.ask(&a); err != nil {
					return err
				}
			} else if err := complete(cmd, a); err != nil {
				return err
			}
			if err := provision.Write(path, a, force); err != nil {
				return err
			}
			return checkWritten(cmd, path, a)
		},
	}
	cmd.Flags().StringVar(&path, "config", path, "the configuration `file` to write")
	cmd.Flags().BoolVar(&force, "force", false, "replace existing files")
	addAnswerFlags(cmd, &a)
	cli.ExitCode(cmd, cli.Failed,
		"An answer is wrong and nothing was written, or the check of the new station found a problem.")
	cli.Files(cmd,
		stationFile,
		cli.Note{Name: "/etc/tirewatch/maker.pub", Text: "The copy of --key."},
		cli.Note{Name: "/etc/tirewatch/password", Text: "The copy of --password-file, or the password that was typed."},
		cli.Note{Name: "/etc/tirewatch/initial.tire", Text: "The copy of --model."},
	)
	return cmd
}

// addAnswerFlags adds a flag for each answer.
func addAnswerFlags(cmd *cobra.Command, a *provision.Answers) {
	f := cmd.Flags()
	f.StringVar(&a.Station, "station", "", "name of the station, `SITE/LINE/NAME`")
	f.StringVar(&a.Camera, "camera", "", "the `camera`: usb, pi-csi, jetson-csi, or a source such as rtsp://HOST/PATH")
	f.StringVar(&a.Broker, "broker", "", "`URL` of the broker, mqtt://HOST or mqtts://HOST")
	f.StringVar(&a.Username, "username", "", "user `name` of the station at the broker")
	f.StringVar(&a.PasswordFile, "password-file", "", "`file` with the password for the broker")
	f.StringVar(&a.CAFile, "ca-file", "", "PEM `file` with the certificate authority of the broker")
	f.StringVar(&a.Key, "key", "", "public key `file` of the person who signs the models, NAME.pub")
	f.StringVar(&a.Model, "model", "", "bundle `file` of the first model; without it, push one later")
	f.StringVar(&a.Trigger, "trigger", "", "what starts a verdict, the `mode`: presence, photo-eye, command or frame")
	f.StringVar(&a.PhotoEye, "photo-eye", "", "GPIO `line` of the photo-eye, for example GPIO17")
	f.StringVar(&a.Ejector, "ejector", "", "GPIO `line` of the ejector, for example GPIO27")
	f.StringVar(&a.EjectorDelay, "ejector-delay", "",
		"`time` of a tire from the middle of the frame to the ejector, for example 1.2s")
	f.StringVar(&a.State, "state", "", "`folder` for journal and models (default /var/lib/tirewatch)")
}

// checkWritten describes and checks the station that was written, and prints what to do next.
func checkWritten(cmd *cobra.Command, path string, a provision.Answers) error {
	stderr := cmd.ErrOrStderr()
	if a.UsesGPIO() {
		fmt.Fprintf(stderr, "give the service access to the GPIO chips: %s\n", openChips)
	}
	fmt.Fprintf(stderr, "%s written. The station:\n\n", path)
	cfg, err := config.Load(path)
	if err != nil {
		return err
	}
	if err := check(cmd.OutOrStdout(), cfg); err != nil {
		return cli.Hint(err, "correct this, then run: sudo tirewatch-agent doctor --config "+path)
	}
	fmt.Fprintf(stderr,
		"\nnext: sudo tirewatch-agent doctor --config %s\n      sudo systemctl enable --now tirewatch-agent\n", path)
	return nil
}

// openChips is the command that gives the service access to the GPIO chips.
const openChips = "sudo install -D -m 644 /usr/share/doc/tirewatch-agent/systemd/gpio.conf -t /etc/systemd/system/tirewatch-agent.service.d/"

// complete checks that the flags say enough, when nobody can be asked.
func complete(cmd *cobra.Command, a provision.Answers) error {
	needed := []string{"station", "camera", "key"}
	if a.Trigger == config.TriggerPhotoEye {
		needed = append(needed, "photo-eye")
	}
	return cli.Hint(cli.Require(cmd, needed...), "run it on a terminal, and it asks for what is missing")
}

// interview asks a technician for what the flags do not say.
type interview struct {
	flags func(name string) bool // whether the flag was given
	in    *os.File
	lines *bufio.Reader
	out   io.Writer
}

// question is asked until valid accepts the answer.
type question struct {
	flag   string
	answer *string
	text   string
	valid  func(string) error // nil accepts everything
	needed bool
}

func (i *interview) ask(a *provision.Answers) error {
	station := func(s string) error { _, err := config.ParseStation(s); return err }
	key := func(s string) error { _, err := provision.Key(s); return err }
	model := func(s string) error {
		k, err := provision.Key(a.Key)
		if err != nil {
			return err
		}
		return provision.Model(s, k)
	}
	for _, q := range []question{
		{"station", &a.Station, "Name of this station, as SITE/LINE/NAME", station, true},
		{"camera", &a.Camera, "Camera: usb, pi-csi, jetson-csi, rtsp://HOST/PATH or v4l2:/dev/video0",
			provision.Camera, true},
		{"key", &a.Key, "File with the public key of the person who signs the models (NAME.pub)", key, true},
		{"model", &a.Model, "File with the first model (empty: push one later)", model, false},
		{"broker", &a.Broker, "MQTT broker, mqtt://HOST or mqtts://HOST (empty: none)", provision.Broker, false},
	} {
		if err := i.one(q); err != nil {
			return err
		}
	}
	if a.Broker != "" {
		if err := i.login(a); err != nil {
			return err
		}
	}
	return i.belt(a)
}

// login asks for user name and password at the broker.
func (i *interview) login(a *provision.Answers) error {
	if err := i.one(question{flag: "username", answer: &a.Username, text: "User name at the broker (empty: none)"}); err != nil {
		return err
	}
	if a.Username == "" || i.flags("password-file") {
		return nil
	}
	fmt.Fprint(i.out, "Password at the broker (not shown): ")
	password, err := term.ReadPassword(int(i.in.Fd()))
	fmt.Fprintln(i.out)
	a.Password = string(password)
	return err
}

// belt asks what is wired to the station.
func (i *interview) belt(a *provision.Answers) error {
	// beside checks an answer together with the earlier ones.
	beside := func(answer *string, check func(provision.Answers) error) func(string) error {
		return func(s string) error {
			was := *answer
			defer func() { *answer = was }()
			*answer = s
			return check(*a)
		}
	}
	trigger := question{"trigger", &a.Trigger,
		"What starts a verdict: presence, photo-eye, command or frame (empty: presence, or frame for a folder of " +
			"images)",
		beside(&a.Trigger, provision.Trigger), false}
	eye := question{"photo-eye", &a.PhotoEye, "GPIO line of the photo-eye, for example GPIO17",
		beside(&a.PhotoEye, provision.PhotoEye), true}
	ejector := question{"ejector", &a.Ejector, "GPIO line of the ejector, for example GPIO27 (empty: none)",
		beside(&a.Ejector, provision.Ejector), false}
	delay := question{"ejector-delay", &a.EjectorDelay,
		"Time from the middle of the frame to the ejector, for example 1.2s (empty: at once, for a lamp)",
		beside(&a.EjectorDelay, provision.EjectorDelay), false}

	if a.PhotoEye == "" {
		if err := i.one(trigger); err != nil {
			return err
		}
	}
	if a.Trigger == config.TriggerPhotoEye {
		if err := i.one(eye); err != nil {
			return err
		}
	}
	if err := i.one(ejector); err != nil || a.Ejector == "" {
		return err
	}
	return i.one(delay)
}

func (i *interview) one(q question) error {
	if i.flags(q.flag) {
		return nil
	}
	for {
		fmt.Fprintf(i.out, "%s: ", q.text)
		line, err := i.lines.ReadString('\n')
		if err != nil {
			return fmt.Errorf("read the answer: %w", err)
		}
		switch line = strings.TrimSpace(line); {
		case line == "" && !q.needed:
			return nil
		case line == "":
			err = errors.New("an answer is needed")
		case q.valid != nil:
			err = q.valid(line)
		}
		if err == nil {
			*q.answer = line
			return nil
		}
		fmt.Fprintf(i.out, "  %v\n", err)
	}
}
