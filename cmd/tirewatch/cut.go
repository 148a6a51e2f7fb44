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

	"tirewatch/internal/durable"
	"tirewatch/trainer/dataset"
	"tirewatch/vision/cut"
	"tirewatch/vision/imagefile"
	"tirewatch/vision/locate"
	"tirewatch/vision/preprocess"
)

func newDatasetCutCmd() *cobra.Command {
	o := cut.Options{Margin: 0.02, Overlap: 0.25}
	view := string(cut.SideWall)
	cmd := &cobra.Command{
		Use:   "cut DST IMAGE...",
		Short: "Cut photographs of whole tires into tiles, as a station does",
		Long: `A station with locate.view "sidewall" or "tiles" shows its network tiles of a tire, so that is what the network must be trained on.
cut writes them into DST, 379 x 379 px each, as the network gets them: NAME~tile000.png of NAME.jpg, of a side wall by the
angle of the tile's middle, in degrees from the top of the picture, clockwise.

All tiles of a sound tire are sound. Those of a cracked one must be sorted by eye: many show no crack.
By the names, splits keep all tiles of a tire on one side, so they may be sorted into folders but not be given other names.`,
		Example: `  tirewatch dataset cut tiles/normal photos/normal/*.jpg
  tirewatch dataset cut unsorted/ photos/crack/*.jpg --view tiles --tile 0.3`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.View = cut.View(view)
			if o.View != cut.SideWall && o.View != cut.Tiles {
				return &usageError{fmt.Errorf("unknown view %q: want %s or %s", view, cut.Tiles, cut.SideWall)}
			}
			if !cmd.Flags().Changed("tile") {
				o.Tile = cut.DefaultTile(o.View)
			}
			if err := o.Validate(); err != nil {
				return &usageError{err}
			}
			return cutImages(cmd, args[0], args[1:], o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&view, "view", view, "sidewall: the ring between outline and rim, unwrapped; tiles: the square around the tire")
	f.Float64Var(&o.Tile, "tile", 0, "side of a tile, share of the square's (default 0.4), or length, share of the side wall's height (default 1)")
	f.Float64Var(&o.Overlap, "overlap", o.Overlap, "by how much neighbours overlap at least, share of a tile")
	f.Float64Var(&o.Margin, "margin", o.Margin, "around the outline, share of the diameter; a side wall has none")
	return cmd
}

func cutImages(cmd *cobra.Command, dst string, images []string, o cut.Options) error {
	if err := os.MkdirAll(dst, 0o755); err != nil {
		return err
	}
	there, err := os.ReadDir(dst)
	if err != nil {
		return err
	}
	taken := map[string]bool{} // names of photographs that have tiles in dst
	for _, e := range there {
		if name, ok := dataset.TileOf(e.Name()); ok {
			taken[name] = true
		}
	}
	cutter, round := cut.New(o), locate.NewRound(locate.RoundOptions{})
	tiles, failed := 0, 0
	for _, name := range images {
		if err := cmd.Context().Err(); err != nil {
			return err
		}
		// as it is read from the names in dst, whatever the photograph is called
		tire, _ := dataset.TileOf(dataset.TileName(name, 0))
		n, err := 0, error(nil)
		if taken[tire] {
			err = fmt.Errorf("%s: %s has tiles of a photograph with this name already; name another folder, or delete what an earlier run left", name, dst)
		} else {
			n, err = cutImage(dst, name, cutter, round, o.View)
			taken[tire] = n > 0
		}
		tiles += n
		if errors.As(err, new(*os.PathError)) && n > 0 {
			return err // the disk, not the photograph
		}
		if err != nil {
			failed++
			fmt.Fprintf(cmd.ErrOrStderr(), "left out: %v\n", err)
		}
	}
	if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s: %d tiles of %d photographs\n", dst, tiles, len(images)-failed); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d photographs could not be cut", failed, len(images))
	}
	return nil
}

// cutImage writes the tiles of one photograph and says how many there are.
func cutImage(dst, name string, cutter *cut.Cutter, round *locate.Round, view cut.View) (int, error) {
	f, err := imagefile.Read(name)
	if err != nil {
		return 0, err
	}
	// where no outline is found the whole photograph is the tire, as at the station
	tire := locate.Tire{Region: f.Bounds()}
	if found := round.Find(f); len(found) > 0 {
		tire = found[0]
	}
	c, err := cutter.Cut(f, tire)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	spec := preprocess.Thesis()
	picture := image.NewGray(image.Rect(0, 0, spec.Width, spec.Height))
	for i, p := range c.Pieces {
		if err := spec.Apply(picture.Pix, p.Frame, p.Region); err != nil {
			return i, err
		}
		var data bytes.Buffer
		if err := png.Encode(&data, picture); err != nil {
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
