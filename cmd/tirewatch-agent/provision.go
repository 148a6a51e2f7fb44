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
)

func newProvisionCmd() *cobra.Command {
	path := "/etc/tirewatch/station.toml"
	var a provision.Answers
	var force bool
	cmd := &cobra.Command{
		Use:   "provision",
		Short: "Write the configuration of a new station",
		Long: `Provision writes a station's configuration from flags, and asks on the terminal for what they leave
open. Key, password, certificate and first model are copied beside the configuration, where the agent
may read them. Nothing that is there is replaced without --force, and nothing is written before
everything has been looked at. Then it checks the station.

Without an answer a verdict is made for each tire that the camera sees pass, and nothing ejects a tire.
For lines of GPIO chips it says how to open these to the service.`,
		Example: `  sudo tirewatch-agent provision
  sudo tirewatch-agent provision --station hamburg/line1/station3 --camera usb \
      --broker mqtts://broker --username station3 --password-file secret --key plant.key.pub --model first.tire
  sudo tirewatch-agent provision --station hamburg/line1/station3 --camera usb --key plant.key.pub --model first.tire \
      --photo-eye GPIO17 --ejector GPIO27 --ejector-delay 1.2s`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			in, ok := cmd.InOrStdin().(*os.File)
			if ok && term.IsTerminal(int(in.Fd())) {
				i := &interview{flags: cmd.Flags().Changed, in: in, lines: bufio.NewReader(in), out: cmd.ErrOrStderr()}
				if err := i.ask(&a); err != nil {
					return err
				}
			} else if err := complete(a); err != nil {
				return err
			}
			if err := provision.Write(path, a, force); err != nil {
				return err
			}
			if a.UsesGPIO() {
				fmt.Fprintf(cmd.ErrOrStderr(), "the GPIO chips are closed to the service until: %s\n", openChips)
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "%s is written; the station does this:\n\n", path)
			cfg, err := config.Load(path)
			if err != nil {
				return err
			}
			if err := check(cmd.OutOrStdout(), cfg); err != nil {
				return withHint(err, "mend this, then: sudo tirewatch-agent doctor --config "+path)
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "\nnext: sudo tirewatch-agent doctor --config %s\n      sudo systemctl enable --now tirewatch-agent\n", path)
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&path, "config", path, "the configuration `file` to write")
	f.StringVar(&a.Station, "station", "", "the station's name, `SITE/LINE/NAME`")
	f.StringVar(&a.Camera, "camera", "", "the `camera`: usb, pi-csi, jetson-csi, or a source like rtsp://HOST/PATH")
	f.StringVar(&a.Broker, "broker", "", "the broker's `URL`, mqtt://HOST or mqtts://HOST")
	f.StringVar(&a.Username, "username", "", "the station's `name` at the broker")
	f.StringVar(&a.PasswordFile, "password-file", "", "a `file` with the password for the broker")
	f.StringVar(&a.CAFile, "ca-file", "", "a `file` with the certificate of the broker's authority")
	f.StringVar(&a.Key, "key", "", "the public key `file` of whoever signs the models")
	f.StringVar(&a.Model, "model", "", "the first model, a bundle `file`; without it one is pushed later")
	f.StringVar(&a.Trigger, "trigger", "", "what makes a verdict, the `mode`: presence, photo-eye, command or frame")
	f.StringVar(&a.PhotoEye, "photo-eye", "", "the GPIO `line` of the photo-eye, like GPIO17")
	f.StringVar(&a.Ejector, "ejector", "", "the GPIO `line` of the ejector, like GPIO27")
	f.StringVar(&a.EjectorDelay, "ejector-delay", "", "the `time` from the middle of the picture to the ejector, like 1.2s")
	f.StringVar(&a.State, "state", "", "the `folder` of journal and models, if it is not /var/lib/tirewatch")
	f.BoolVar(&force, "force", false, "replace what is there")
	return cmd
}

// openChips lets the service to the chips.
const openChips = "sudo install -D -m 644 /usr/share/doc/tirewatch-agent/systemd/gpio.conf -t /etc/systemd/system/tirewatch-agent.service.d/"

// complete says which flags are missing where nobody can be asked.
func complete(a provision.Answers) error {
	var missing []string
	for _, f := range []struct{ flag, value string }{{"--station", a.Station}, {"--camera", a.Camera}, {"--key", a.Key}} {
		if f.value == "" {
			missing = append(missing, f.flag)
		}
	}
	if a.Trigger == config.TriggerPhotoEye && a.PhotoEye == "" {
		missing = append(missing, "--photo-eye")
	}
	if len(missing) == 0 {
		return nil
	}
	return withHint(&usageError{errors.New("not given: " + strings.Join(missing, ", "))}, "on a terminal provision asks for what is missing")
}

// interview asks a technician for what the flags leave open.
type interview struct {
	flags func(name string) bool // whether it was given
	in    *os.File
	lines *bufio.Reader
	out   io.Writer
}

// question is asked until valid accepts the answer.
type question struct {
	flag   string
	answer *string
	text   string
	valid  func(string) error // nil: anything
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
		{"camera", &a.Camera, "Camera: usb, pi-csi, jetson-csi, rtsp://HOST/PATH or v4l2:/dev/video0", provision.Camera, true},
		{"key", &a.Key, "File with the public key of whoever signs the models (NAME.pub)", key, true},
		{"model", &a.Model, "File with the first model (empty: one is pushed later)", model, false},
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

// login asks how the station logs in at the broker.
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
	// beside checks an answer with those that stand already.
	beside := func(answer *string, check func(provision.Answers) error) func(string) error {
		return func(s string) error {
			was := *answer
			defer func() { *answer = was }()
			*answer = s
			return check(*a)
		}
	}
	trigger := question{"trigger", &a.Trigger, "What makes a verdict: presence, photo-eye, command or frame (empty: presence, of a folder frame)",
		beside(&a.Trigger, provision.Trigger), false}
	eye := question{"photo-eye", &a.PhotoEye, "GPIO line of the photo-eye, like GPIO17", beside(&a.PhotoEye, provision.PhotoEye), true}
	ejector := question{"ejector", &a.Ejector, "GPIO line of the ejector, like GPIO27 (empty: none)", beside(&a.Ejector, provision.Ejector), false}
	delay := question{"ejector-delay", &a.EjectorDelay, "Time from the middle of the picture to the ejector, like 1.2s (empty: at once, for a lamp)",
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
			err = errors.New("this is needed")
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
