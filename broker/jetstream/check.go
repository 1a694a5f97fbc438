package jetstream

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"
)

// Before the server inside starts, all that is kept is read and its checksums are compared. The server
// would not tell: after an end in order it believes its index and does not look at the blocks, a read passes over
// what is damaged as over what was dropped, and when it makes the index anew it cuts a block off where it is damaged, so that up to
// 8 MB more are gone. So what is damaged is noted in the record first, and then cut out of its
// block; what is whole behind it stays. The server takes that as numbers that were deleted.
//
// The very end of the last block may be half an entry after every end that was not in order. That was acknowledged to nobody, unless
// power was lost; the server cuts it off, and begin sees where the stream ends.

// A cut is a block that something is to be cut out of.
type cut struct {
	scan blockScan
	gone uint64 // the stream goes on behind this number, if it is not zero
}

// check looks for damage, and repairs it. The record is nil if there is none yet.
func (b *Broker) check(ctx context.Context, r *record) error {
	if r == nil {
		return nil
	}
	if fits, err := r.fits(b.layout); err != nil || !fits {
		return err // another layout: no position says anything
	}
	scans, err := b.scanAll()
	if err != nil {
		return err
	}
	for _, p := range b.parts {
		end := uint64(0) // which the stream had at the end, if that is known
		if r.Clean != nil {
			end = r.Clean[p.index]
		}
		cuts, lost := findDamage(scans[p.index], end)
		if len(cuts) == 0 {
			continue
		}
		for _, d := range lost {
			d.Partition = p.index
			r.noteDamage(d)
			b.log.Error("jetstream: a file of what is kept was damaged; these publications are lost, as far as they were still kept, and whoever stood before them is told of a gap",
				"stream", p.stream, "first", d.First, "last", d.Last, "numbers", d.Last-d.First+1)
		}
		if err := b.keeper.store(ctx, r); err != nil { // first: nobody else knows it afterwards
			return err
		}
		if err := b.repairBlocks(p, cuts); err != nil {
			return fmt.Errorf("jetstream: a damaged file cannot be repaired: %w; make room on its disk, or let this user write there", err)
		}
	}
	return nil
}

// checkAgain looks for damage before the server is started again in place.
func (b *Broker) checkAgain(ctx context.Context) error {
	b.writing.Lock()
	defer b.writing.Unlock()
	r := b.record.Load().clone()
	if err := b.check(ctx, r); err != nil {
		return err
	}
	b.record.Store(r)
	return nil
}

// blocks returns the folder of a partition's blocks.
func (b *Broker) blocks(p *part) string {
	return filepath.Join(b.opts.Dir, storeName, "$G", "streams", p.stream, "msgs")
}

// scanAll scans the blocks of all partitions, on all processors. Those without anything are left out.
func (b *Broker) scanAll() ([][]blockScan, error) {
	type job struct {
		stream, path string
		to           *blockScan
	}
	scans := make([][]blockScan, len(b.parts))
	var jobs []job
	for i, p := range b.parts {
		if !p.onDisk() {
			continue
		}
		entries, err := os.ReadDir(b.blocks(p))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("jetstream: %w", err)
		}
		entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return !isBlock(e.Name()) })
		slices.SortFunc(entries, func(a, b fs.DirEntry) int { return blockNumber(a.Name()) - blockNumber(b.Name()) })
		scans[i] = make([]blockScan, len(entries))
		for j, e := range entries {
			jobs = append(jobs, job{p.stream, filepath.Join(b.blocks(p), e.Name()), &scans[i][j]})
		}
	}
	next := make(chan job, len(jobs))
	for _, j := range jobs {
		next <- j
	}
	close(next)
	var wg sync.WaitGroup
	errs := make([]error, runtime.GOMAXPROCS(0))
	for i := range errs {
		wg.Go(func() {
			var data []byte
			for j := range next {
				if data, errs[i] = readInto(data, j.path); errs[i] != nil {
					return
				}
				*j.to = scanBlock(j.stream, blockNumber(j.path), data)
			}
		})
	}
	wg.Wait()
	for i, list := range scans {
		scans[i] = slices.DeleteFunc(list, func(s blockScan) bool { return s.size == 0 })
	}
	return scans, errors.Join(errs...)
}

// readInto reads a file into a buffer, or a larger one.
func readInto(b []byte, path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return b, fmt.Errorf("jetstream: what is kept cannot be read: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil {
		b = slices.Grow(b[:0], int(info.Size()))[:info.Size()]
		_, err = f.ReadAt(b, 0)
	}
	if err != nil {
		return b, fmt.Errorf("jetstream: what is kept cannot be read: %w", err)
	}
	return b, nil
}

// findDamage returns which blocks of a stream are to be repaired, and what is lost. The stream ended with a number, if
// that is known.
func findDamage(scans []blockScan, end uint64) (cuts []cut, lost []damage) {
	found := time.Now().Round(0)
	last := uint64(0)
	for i, s := range scans {
		c := cut{scan: s}
		damaged := false
		for _, h := range s.holes {
			after, before := max(last, h.after), h.before
			switch {
			case before > 0:
			case i < len(scans)-1:
				before = firstOf(scans[i+1:])
			case h.tail && end <= after:
				continue
			default:
				c.gone = max(end, after+1) // so that no number is given again
				before = c.gone + 1
			}
			damaged = true
			if before > after+1 {
				lost = append(lost, damage{First: after + 1, Last: before - 1, Time: found})
			}
		}
		if damaged {
			cuts = append(cuts, c)
		}
		last = max(last, s.last)
	}
	return cuts, lost
}

// firstOf returns the first number that there is in blocks, zero if there is none.
func firstOf(scans []blockScan) uint64 {
	for _, s := range scans {
		if s.first > 0 {
			return s.first
		}
	}
	return 0
}

// repairBlocks replaces blocks by what is whole of them, and has the server make its index anew.
func (b *Broker) repairBlocks(p *part, cuts []cut) error {
	dir := b.blocks(p)
	if err := os.Remove(filepath.Join(dir, "index.db")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, c := range cuts {
		name := fmt.Sprintf("%d.blk", c.scan.number)
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		var whole []byte
		for _, s := range c.scan.whole {
			whole = append(whole, data[s.from:s.to]...)
		}
		if c.gone > 0 {
			whole = appendGone(whole, p.stream, c.scan.number, c.gone, time.Now())
		}
		if err := replaceFile(dir, name, whole); err != nil {
			return err
		}
		b.log.Warn("jetstream: the damaged part of a file was cut out", "stream", p.stream, "file", name, "bytes", len(data)-len(whole))
	}
	return nil
}
