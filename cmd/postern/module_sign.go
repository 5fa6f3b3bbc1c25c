package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	signing "github.com/posternhq/postern/gateway/module/signature"
)

func newModuleSignCommand() *cobra.Command {
	var out, keyFile string
	command := &cobra.Command{
		Use:   "sign FILE.wasm --key KEY",
		Short: "Sign a module",
		Long: "Append a signature to a module: of all its content, the manifest included. Others may sign it as well. The key is ed25519 or\n" +
			"ECDSA P-256, in PKCS#8 PEM without a passphrase, as `postern module keygen` or `openssl genpkey` makes one.",
		Example: "  postern module keygen release\n  postern module sign hello.wasm --key release.key\n" +
			"  postern module sign hello.wasm --key release.key -o signed.wasm",
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if keyFile == "" {
				return errors.New("--key is not set: the file of the private key to sign with")
			}
			key, err := signing.ReadPrivate(keyFile)
			if err != nil {
				return failure{err}
			}
			wasm, err := readModule(args[0])
			if err != nil {
				return failure{err}
			}
			signed, err := signing.Sign(wasm, key)
			if err != nil {
				return failure{fmt.Errorf("cannot sign %q: %w", args[0], err)}
			}
			if out == "" {
				out = args[0]
			}
			return place(out, signed)
		},
	}
	command.Flags().StringVar(&keyFile, "key", "", "file of the private key")
	command.Flags().StringVarP(&out, "output", "o", "", "file to write (default: the module itself)")
	return command
}

// verified is what `module verify -o json` prints. Its keys are a contract.
type verified struct {
	Valid   bool     `json:"valid"`   // all the signers asked for have signed it
	Signers []string `json:"signers"` // those of them who have
	Keys    []string `json:"keys"`    // ids of all keys that the signatures name
	Error   string   `json:"error,omitempty"`
}

func newModuleVerifyCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "verify FILE.wasm --key PUBLIC...",
		Short: "Check who has signed a module",
		Long: "Check that a module is signed by a key of each file given, as a gateway with these files under\n" +
			"postern.modules.requireSignedBy does when it loads it. Nothing but the files is asked.",
		Example: "  postern module verify hello.wasm --key release.pub\n" +
			"  postern module verify hello.wasm --key release.pub --key security.pub -o json",
		Args: cobra.ExactArgs(1),
	}
	keys := command.Flags().StringSlice("key", nil, "file of public keys, PKIX PEM; each file must have signed, by any of its keys")
	output := outputFlag(command, "text", "text or json")
	command.RunE = func(command *cobra.Command, args []string) error {
		if *output != "text" && *output != "json" {
			return fmt.Errorf("unknown output %q: want text or json", *output)
		}
		if len(*keys) == 0 {
			return errors.New("--key is not set: a file of public keys of who must have signed the module")
		}
		signers, err := signing.ReadSigners(*keys)
		if err != nil {
			return failure{err}
		}
		wasm, err := readModule(args[0])
		if err != nil {
			return failure{err}
		}
		return printVerified(command, args[0], verify(wasm, signers), *output)
	}
	return command
}

func verify(wasm []byte, signers []signing.Signer) verified {
	v := verified{Signers: []string{}, Keys: []string{}}
	names, err := signing.Verify(wasm, signers)
	v.Signers = append(v.Signers, names...)
	if err == nil {
		err = signing.Require(wasm, signers)
	}
	ids, _ := signing.KeyIDs(wasm) // what is wrong with their form, Verify has said
	v.Keys = append(v.Keys, ids...)
	if v.Valid = err == nil; !v.Valid {
		v.Error = err.Error()
	}
	return v
}

func printVerified(command *cobra.Command, file string, v verified, output string) error {
	if output == "json" {
		if err := printJSON(command, v); err != nil {
			return err
		}
		if !v.Valid {
			return errReported
		}
		return nil
	}
	if !v.Valid {
		return failure{fmt.Errorf("%q: %s", file, v.Error)}
	}
	return write(command.OutOrStdout(), []byte("signed by "+strings.Join(v.Signers, ", ")+"\n"))
}

func newModuleKeygenCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "keygen NAME",
		Short: "Make a key to sign modules with",
		Long: "Make an ed25519 key: NAME.key, which nobody else may read, and NAME.pub, which gateways get under\n" +
			"postern.modules.requireSignedBy. Files that are there already are left alone.",
		Example: "  postern module keygen release\n  postern module keygen keys/release -o json",
		Args:    cobra.ExactArgs(1),
	}
	output := outputFlag(command, "text", "text or json")
	command.RunE = func(command *cobra.Command, args []string) error {
		if *output != "text" && *output != "json" {
			return fmt.Errorf("unknown output %q: want text or json", *output)
		}
		return keygen(command, args[0], *output)
	}
	return command
}

func keygen(command *cobra.Command, name, output string) error {
	private, public, id, err := signing.Generate()
	if err != nil {
		return failure{fmt.Errorf("cannot make a key: %w", err)}
	}
	made := struct {
		Private string `json:"private"`
		Public  string `json:"public"`
		ID      string `json:"id"`
	}{name + ".key", name + ".pub", id}
	if err := create(made.Public, public, 0o644); err != nil {
		return err
	}
	if err := create(made.Private, private, 0o600); err != nil {
		return errors.Join(err, os.Remove(made.Public))
	}
	if output == "json" {
		return printJSON(command, made)
	}
	text := fmt.Sprintf("private key  %s\npublic key   %s\nkey id       %s\n", made.Private, made.Public, id)
	return write(command.OutOrStdout(), []byte(text))
}

// create writes a file that must not be there yet.
func create(path string, content []byte, mode os.FileMode) error {
	f, err := os.OpenFile(filepath.Clean(path), os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return failure{fmt.Errorf("cannot write the key: %w", err)}
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return failure{fmt.Errorf("cannot write the key: %w", errors.Join(err, os.Remove(path)))}
	}
	return nil
}
