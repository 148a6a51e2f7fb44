package main

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"tirewatch/cmd/internal/cli"
	"tirewatch/internal/durable"
	"tirewatch/trainer/dataset"
	"tirewatch/vision/cut"
	"tirewatch/vision/imagefile"
	"tirewatch/vision/locate"
	"tirewatch/vision/preprocess"
)

func newDatasetCutCmd() *cobra.Command {
	o := cut.Options{Margin: 0.02, Overlap: 0.25}
	view, spec := string(cut.SideWall), preprocess.Thesis()
	cmd := &cobra.Command{
		Use:   "cut DST IMAGE...",
		Short: "Cut images of whole tires into tiles, as a station does",
		Long: `A station with locate.view "sidewall" or "tiles" feeds tiles of a tire to its network, so the
network must be trained on tiles. cut writes them to DST as the network gets them, 379 x 379 px or
--size: NAME~tile000.png for NAME.jpg. The number counts the tiles of a grid. For a side wall it is the
angle of the tile's middle in degrees, clockwise from the top of the image.

All tiles of a sound tire are sound. Sort the tiles of a cracked tire by eye: many show no crack.
Move tiles between folders as you like, but do not rename them: by the name, a split keeps all
tiles of a tire together.`,
		Example: `  tirewatch dataset cut tiles/normal photos/normal/*.jpg
  tirewatch dataset cut unsorted/ photos/crack/*.jpg --view tiles --tile 0.3`,
		Args: cli.Args("DST", "IMAGE..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.View = cut.View(view)
			if o.View != cut.SideWall && o.View != cut.Tiles {
				return cli.Usagef("--view %q: want %s or %s", view, cut.Tiles, cut.SideWall)
			}
			if !cmd.Flags().Changed("tile") {
				o.Tile = cut.DefaultTile(o.View)
			}
			if err := o.Validate(); err != nil {
				return cli.Usage(err)
			}
			spec.Height = spec.Width
			if err := spec.Validate(); err != nil {
				return cli.Usage(err)
			}
			return cutImages(cmd, args[0], args[1:], o, spec)
		},
	}
	f := cmd.Flags()
	f.StringVar(&view, "view", view,
		"sidewall: the ring between outline and rim, unwrapped; tiles: the square around the tire")
	f.IntVar(&spec.Width, "size", spec.Width, "px, both sides of the images: what the network sees, 448 for the network mobile")
	f.Float64Var(&o.Tile, "tile", 0,
		"side of a tile as a share of the square (default 0.4), or length as a share of the side wall's height "+
			"(default 1)")
	f.Float64Var(&o.Overlap, "overlap", o.Overlap, "least overlap of neighbours, as a share of a tile")
	f.Float64Var(&o.Margin, "margin", o.Margin,
		"margin around the outline, as a share of the diameter; not used for side walls")
	cli.ExitCode(cmd, cli.Failed, "At least one image could not be cut.")
	cli.Environment(cmd, kernelVariable)
	return cmd
}

func cutImages(cmd *cobra.Command, dst string, images []string, o cut.Options, spec preprocess.Spec) error {
	taken, err := tilesIn(dst)
	if err != nil {
		return err
	}
	cutter, round := cut.New(o), locate.NewRound(locate.RoundOptions{})
	tiles, failed := 0, 0
	for _, name := range images {
		if err := cmd.Context().Err(); err != nil {
			return err
		}
		// the name that a split reads from the tiles, whatever the image is called
		tire, _ := dataset.TileOf(dataset.TileName(name, 0))
		n, err := 0, error(nil)
		if taken[tire] {
			err = fmt.Errorf("%s: %s already has tiles of an image with this name;"+
				" choose another folder, or delete the files of an earlier run", name, dst)
		} else {
			n, err = cutImage(dst, name, cutter, round, o.View, spec)
			taken[tire] = n > 0
		}
		tiles += n
		if errors.As(err, new(*os.PathError)) && n > 0 {
			return err // the disk failed, not the image
		}
		if err != nil {
			failed++
			leaveOut(cmd, []error{err})
		}
	}
	if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s: %d tiles of %d images\n", dst, tiles, len(images)-failed); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d images could not be cut", failed, len(images))
	}
	return nil
}

// tilesIn makes the folder dst, and names the images whose tiles it already has.
func tilesIn(dst string) (map[string]bool, error) {
	if err := os.MkdirAll(dst, 0o755); err != nil {
		return nil, err
	}
	files, err := os.ReadDir(dst)
	if err != nil {
		return nil, err
	}
	taken := map[string]bool{}
	for _, f := range files {
		if name, ok := dataset.TileOf(f.Name()); ok {
			taken[name] = true
		}
	}
	return taken, nil
}

// cutImage writes the tiles of one image and returns how many it wrote.
func cutImage(dst, name string, cutter *cut.Cutter, round *locate.Round, view cut.View, spec preprocess.Spec) (int, error) {
	f, err := imagefile.Read(name)
	if err != nil {
		return 0, err
	}
	// without an outline the whole image is the tire, as at the station
	tire := locate.Tire{Region: f.Bounds()}
	if found := round.Find(f); len(found) > 0 {
		tire = found[0]
	}
	c, err := cutter.Cut(f, tire)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	tile := image.NewGray(image.Rect(0, 0, spec.Width, spec.Height))
	for i, p := range c.Pieces {
		if err := spec.Apply(tile.Pix, p.Frame, p.Region); err != nil {
			return i, err
		}
		var data bytes.Buffer
		if err := png.Encode(&data, tile); err != nil {
			return i, err
		}
		number := i
		if view == cut.SideWall {
			number = int(c.Angle(i))
		}
		if err := durable.WriteFile(filepath.Join(dst, dataset.TileName(name, number)), data.Bytes(), 0o644); err != nil {
			return i, err
		}
	}
	return len(c.Pieces), nil
}
