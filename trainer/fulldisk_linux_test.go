package trainer_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"syscall"
	"testing"

	"tirewatch/trainer"
	"tirewatch/trainer/checkpoint"
)

// A full disk ends the training with a clear error. The earlier checkpoints stay intact and can be
// resumed.
func TestFullDisk(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("cannot mount a small disk (%v): run as root", err)
	}
	t.Cleanup(func() { syscall.Unmount(disk, 0) })
	run, err := trainer.CreateRun(filepath.Join(disk, "run"))
	if err != nil {
		t.Fatal(err)
	}
	var saved *checkpoint.Checkpoint
	err = newTrainer(t, 5).Run(context.Background(), trainer.Observer{Save: func(last, best *checkpoint.Checkpoint) error {
		if last.Epoch == 3 {
			fill(t, filepath.Join(disk, "other"))
		}
		err := run.Save(last, best)
		if err == nil {
			saved = last
		}
		return err
	}})
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("error %v, want no space left", err)
	}
	run.Close()

	if err := os.Remove(filepath.Join(disk, "other")); err != nil {
		t.Fatal(err)
	}
	run, last, best, err := trainer.OpenRun(run.Dir)
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	if last.Epoch != 2 || saved.Epoch != 2 || !reflect.DeepEqual(last.Params, saved.Params) || best == nil {
		t.Errorf("the checkpoint is of epoch %d, want 2, the last that was saved", last.Epoch)
	}
}

// fill writes until the disk is full.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
}
