package main

import (
	"encoding/json"
	"fmt"
	"path"

	"github.com/spf13/cobra"

	"github.com/posternhq/postern/gateway/module/manifest"
	"github.com/posternhq/postern/gateway/module/oci"
)

func newModulePushCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "push FILE.wasm REFERENCE",
		Short: "Push a module to an OCI registry or image-layout folder",
		Long: "Push a module, with its signatures, as an OCI artifact in the CNCF layout for WebAssembly, and print its digest.\n" +
			"The same file always gives the same digest.\n\n" + registryHelp,
		Example: "  postern module push hello.wasm oci://ghcr.io/acme/hello:1.2.0\n" +
			"  postern module push hello.wasm oci-layout://./layout:1.2.0 -o json\n" +
			"  echo $TOKEN | postern module push hello.wasm oci://ghcr.io/acme/hello:1.2.0 --username robot --password-stdin",
		Args: cobra.ExactArgs(2),
	}
	flags := bindRegistry(command)
	output := outputFlag(command, "text", "text or json")
	command.RunE = func(command *cobra.Command, args []string) error {
		if *output != "text" && *output != "json" {
			return fmt.Errorf("unknown output %q: want text or json", *output)
		}
		ref, err := oci.ParseReference(args[1])
		if err != nil {
			return err
		}
		options, err := flags.read(command, path.Base(args[0]))
		if err != nil {
			return err
		}
		wasm, err := readModule(args[0])
		if err != nil {
			return failure{err}
		}
		options.Annotations = annotations(wasm)
		a, err := oci.Push(command.Context(), ref, wasm, options)
		if err != nil {
			return failure{err}
		}
		return printPushed(command, a, *output)
	}
	return command
}

// annotations repeat what the manifest says, for those who look at the registry. Filters of other ABIs have no manifest.
func annotations(wasm []byte) map[string]string {
	about, err := manifest.Of(wasm)
	if err != nil {
		return nil
	}
	return map[string]string{
		"org.opencontainers.image.title":   about.Name + ".wasm",
		"org.opencontainers.image.version": about.Version,
	}
}

// pushed is what `module push -o json` prints. Its keys are a contract.
type pushed struct {
	Reference string `json:"reference"` // with the digest
	Digest    string `json:"digest"`    // of the manifest
	Module    string `json:"module"`    // sha256 of the file in hex
	Size      int    `json:"size"`      // of the file, bytes
}

func printPushed(command *cobra.Command, a *oci.Artifact, output string) error {
	p := pushed{a.Reference.At(a.Digest).String(), a.Digest, a.Module, len(a.Bytes)}
	if output == "text" {
		return write(command.OutOrStdout(), []byte(p.Reference+"\n"))
	}
	return printJSON(command, p)
}

func printJSON(command *cobra.Command, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return failure{err}
	}
	return write(command.OutOrStdout(), append(text, '\n'))
}
