{
  description = "Renders a control repo into Flux objects: which commit of which component runs on which cluster";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs = { self, nixpkgs }:
    let
      systems = [ "x86_64-linux" "aarch64-linux" "x86_64-darwin" "aarch64-darwin" ];
      forEachSystem = f: nixpkgs.lib.genAttrs systems (system: f nixpkgs.legacyPackages.${system});
    in
    {
      packages = forEachSystem (pkgs: rec {
        default = tfgitops;
        tfgitops = pkgs.buildGoModule {
          pname = "tfgitops";
          version = "0-unstable-${self.shortRev or "dirty"}";
          src = self;
          subPackages = [ "cmd/tfgitops" ];
          # Of the vendored modules: scripts/nix-check.sh --update writes it.
          vendorHash = "sha256-bkZ2MvvNSjSl5Oag2pjZ7HJ4uBzCXcqyvHc5JZY82p8=";
          env.CGO_ENABLED = 0;
          ldflags = [ "-s" "-w" ];
          # The tests are make test's; several need Git and whole control repos.
          doCheck = false;
          nativeBuildInputs = [ pkgs.installShellFiles ];
          postInstall = ''
            installManPage man/*.1
            installShellCompletion --cmd tfgitops \
              --bash <($out/bin/tfgitops completion bash) \
              --fish <($out/bin/tfgitops completion fish) \
              --zsh <($out/bin/tfgitops completion zsh)
          '';
          meta = {
            description = "The bridge between what CI publishes and what Flux deploys";
            homepage = "https://gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops";
            license = pkgs.lib.licenses.asl20;
            mainProgram = "tfgitops";
          };
        };
      });

      devShells = forEachSystem (pkgs: {
        default = pkgs.mkShell {
          packages = [ pkgs.go pkgs.git pkgs.gnumake pkgs.shellcheck ];
        };
      });
    };
}
