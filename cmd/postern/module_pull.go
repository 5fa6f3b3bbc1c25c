package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/posternhq/postern/config"
	"github.com/posternhq/postern/gateway/module/manifest"
	"github.com/posternhq/postern/gateway/module/oci"
	signing "github.com/posternhq/postern/gateway/module/signature"
)

// pull is what `module pull` was asked for.
type pull struct {
	registry       *registryFlags
	out, dir, lock string
	keys           []string
	update, json   bool
	lockOnly       bool
}

func newModulePullCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "pull [REFERENCE...]",
		Short: "Pull modules from OCI registries or image-layout folders",
		Long: "Pull modules into a folder, and note in its " + oci.LockFile + " which artifact each reference is. A reference that the lock file\n" +
			"has is pulled by its digest, wherever the tag points now; --update takes it anew. Without a reference, all of the\n" +
			"lock file are pulled. Nothing is written unless all could be pulled. A file is replaced by renaming, so a gateway\n" +
			"that watches the folder swaps to it.\n\n" + registryHelp,
		Example: "  postern module pull oci://ghcr.io/acme/hello:1.2.0\n" +
			"  postern module pull --dir /var/lib/postern/modules\n" +
			"  postern module pull --update oci://ghcr.io/acme/hello:1 --key release.pub\n" +
			"  postern module pull --update --lock-only --lock /etc/postern/modules.lock\n" +
			"  postern module pull oci-layout://./layout:1.2.0 -o hello.wasm",
	}
	p := &pull{registry: bindRegistry(command)}
	flags := command.Flags()
	flags.StringVarP(&p.out, "output", "o", "", "file to write the one module to, in place of --dir")
	flags.StringVar(&p.dir, "dir", config.Default().Postern.Modules.Dir, "folder for the modules, each as NAME.wasm by its manifest")
	flags.StringVar(&p.lock, "lock", "", "lock file (default: "+oci.LockFile+" in the modules' folder)")
	flags.StringSliceVar(&p.keys, "key", nil, "file of public keys; each module must be signed by a key of each file")
	flags.BoolVar(&p.update, "update", false, "take tags anew, and note what they are now")
	flags.BoolVar(&p.lockOnly, "lock-only", false, "write no module: a gateway with the references under postern.modules.pull serves them")
	flags.BoolVar(&p.json, "json", false, "print JSON")
	command.RunE = func(command *cobra.Command, args []string) error { return p.run(command, args) }
	return command
}

// pulled is one module of what `module pull --json` prints. Its keys are a contract.
type pulled struct {
	oci.Entry
	File string `json:"file,omitempty"` // none with --lock-only
	Was  string `json:"was,omitempty"`  // the digest that the lock file had, if it was another
	wasm []byte
}

func (p *pull) run(command *cobra.Command, args []string) error {
	dir := p.dir
	if p.out != "" {
		if len(args) != 1 || command.Flags().Changed("dir") || p.lockOnly {
			return errors.New("--output takes one reference, and neither --dir nor --lock-only")
		}
		dir = filepath.Dir(p.out)
	}
	if p.lock == "" {
		p.lock = filepath.Join(dir, oci.LockFile)
	}
	signers, err := signing.ReadSigners(p.keys)
	if err != nil {
		return failure{err}
	}
	lock, err := oci.ReadLock(p.lock)
	if err != nil {
		return failure{err}
	}
	refs, err := p.references(args, lock)
	if err != nil {
		return err
	}
	all, err := p.fetch(command, refs, lock, signers)
	if err != nil {
		return err
	}
	if err := p.place(dir, all, lock); err != nil {
		return err
	}
	return p.print(command, all)
}

// references are those asked for, or all of the lock file.
func (p *pull) references(args []string, lock *oci.Lock) ([]oci.Reference, error) {
	if len(args) == 0 {
		for _, e := range lock.Modules {
			args = append(args, e.Reference)
		}
		if len(args) == 0 {
			return nil, fmt.Errorf("nothing to pull: no reference is given, and %q has none", p.lock)
		}
	}
	var refs []oci.Reference
	for _, text := range args {
		ref, err := oci.ParseReference(text)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(refs, ref) {
			refs = append(refs, ref)
		}
	}
	return refs, nil
}

// fetch pulls all, and sees that each is signed and has a file of its own.
func (p *pull) fetch(command *cobra.Command, refs []oci.Reference, lock *oci.Lock, signers []signing.Signer) ([]pulled, error) {
	cache := artifactCache()
	taken := map[string]string{}
	var all []pulled
	for _, ref := range refs {
		options, err := p.registry.read(command, ref.String())
		if err != nil {
			return nil, err
		}
		options.Cache = cache
		one, err := p.one(command.Context(), ref, lock, options)
		if err != nil {
			return nil, failure{err}
		}
		if err := signing.Require(one.wasm, signers); err != nil {
			return nil, failure{fmt.Errorf("%q: %w", ref, err)}
		}
		if other, ok := taken[one.File]; ok && !p.lockOnly {
			return nil, failure{fmt.Errorf("%q and %q are both %s: pull them into different folders", other, ref, one.File)}
		}
		taken[one.File] = ref.String()
		all = append(all, one)
	}
	return all, nil
}

func (p *pull) one(ctx context.Context, ref oci.Reference, lock *oci.Lock, options oci.Options) (pulled, error) {
	var was string
	if e := lock.Find(ref); e != nil {
		was = e.Digest
	}
	a, err := lock.Pull(ctx, ref, p.update, options, signing.KeyIDs)
	if err != nil {
		return pulled{}, err
	}
	one := pulled{Entry: *lock.Find(ref), File: p.out, wasm: a.Bytes}
	if was != a.Digest {
		one.Was = was
	}
	if p.out == "" && !p.lockOnly {
		one.File = filepath.Join(p.dir, fileName(ref, a.Bytes))
	}
	return one, nil
}

// fileName is the module's own name, or the repository's when it has none.
func fileName(ref oci.Reference, wasm []byte) string {
	if about, err := manifest.Of(wasm); err == nil {
		return about.Name + ".wasm"
	}
	return path.Base(ref.Repository+filepath.Base(ref.Path)) + ".wasm"
}

// place writes the files, and the lock file last: it never names what is not there.
func (p *pull) place(dir string, all []pulled, lock *oci.Lock) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return failure{fmt.Errorf("cannot make the folder of modules: %w", err)}
	}
	for _, one := range all {
		if p.lockOnly {
			break
		}
		if err := place(one.File, one.wasm); err != nil {
			return err
		}
	}
	if err := lock.Write(p.lock); err != nil {
		return failure{err}
	}
	return nil
}

func (p *pull) print(command *cobra.Command, all []pulled) error {
	if p.json {
		return printJSON(command, all)
	}
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "FILE\tREFERENCE\tDIGEST\tWAS")
	for _, one := range all {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", one.File, one.Reference, one.Digest, one.Was)
	}
	if err := t.Flush(); err != nil {
		return failure{err}
	}
	return write(command.OutOrStdout(), []byte(b.String()))
}
