# The vendorHash of flake.nix, found by evaluating the flake's outputs with just enough of nixpkgs: no network, no lock.
let
  lib.genAttrs = names: f: builtins.listToAttrs (map (name: { inherit name; value = f name; }) names);
  pkgs = {
    buildGoModule = args: args;
    mkShell = args: args;
    installShellFiles = null;
    git = null;
    go = null;
    gnumake = null;
    shellcheck = null;
    lib.licenses.asl20 = null;
  };
  nixpkgs = {
    inherit lib;
    legacyPackages = lib.genAttrs [ "x86_64-linux" "aarch64-linux" "x86_64-darwin" "aarch64-darwin" ] (_: pkgs);
  };
  outputs = (import ../flake.nix).outputs { self = ../.; inherit nixpkgs; };
in
# Every package and shell is evaluated, so that a misspelt name in any of them is an error here.
builtins.deepSeq outputs outputs.packages.x86_64-linux.default.vendorHash
