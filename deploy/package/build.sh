#!/bin/bash
# build.sh ARCH…: builds $DIST/sessiondbd_${VERSION}_ARCH.deb for each. Called by `make deb`, which sets
# DIST, VERSION, COMMIT, GO and SOURCE_DATE_EPOCH; with the same values the packages are the same, byte by byte.
set -euo pipefail
: "${DIST:?}" "${VERSION:?}" "${COMMIT:?}" "${GO:?}" "${SOURCE_DATE_EPOCH:?}"
nfpm=github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2
MAINTAINER=$(sed -n 's/^ -- \(.*>\)  .*/\1/p;T;q' deploy/package/changelog)
export MAINTAINER VERSION SOURCE_DATE_EPOCH
umask 022

# copyright OUT: our own notice, then those of all modules that are linked in, as their licences ask for.
copyright() {
	cat deploy/package/copyright
	"$GO" list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}' ./cmd/sessiondbd ./cmd/sessiondbd-metrics |
		LC_ALL=C sort -u | while read -r path version dir; do
		printf '\n%s\n%s %s\n\n' ------------------------------------------------------------------------ "$path" "$version"
		# A module without a licence ends the build here: it may not be passed on.
		if grep -qi 'apache license' "$dir"/LICENSE*; then
			echo "Apache License 2.0: see /usr/share/common-licenses/Apache-2.0"
		else
			cat "$dir"/LICENSE*
		fi
		find "$dir" -maxdepth 1 -name 'NOTICE*' -exec cat {} +
	done
	printf '\n%s\nThe Go standard library\n\n' ------------------------------------------------------------------------
	cat "$("$GO" env GOROOT)/LICENSE"
}

for ARCH in "$@"; do
	STAGE=$DIST/.stage-$ARCH
	export ARCH STAGE
	rm -rf "$STAGE"
	# A make of its own, so that nothing but it compiles for the other architecture.
	make --no-print-directory install GOOS=linux GOARCH="$ARCH" BINARY="$STAGE/.binary" DESTDIR="$STAGE" PREFIX=/usr VERSION="$VERSION" COMMIT="$COMMIT" GO="$GO" >/dev/null
	rm "$STAGE/.binary" "$STAGE/.binary-metrics"
	doc=$STAGE/usr/share/doc/sessiondbd
	copyright >"$doc/copyright"
	cp deploy/package/changelog "$doc/changelog"
	install -D -m 0644 deploy/package/lintian-overrides "$STAGE/usr/share/lintian/overrides/sessiondbd"
	gzip -9n "$doc/changelog" "$STAGE"/usr/share/man/man8/*.8
	find "$STAGE" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
	"$GO" run "$nfpm" package --config deploy/package/nfpm.yaml --packager deb --target "$DIST/sessiondbd_${VERSION}_$ARCH.deb" >/dev/null
	rm -rf "$STAGE"
	echo "$DIST/sessiondbd_${VERSION}_$ARCH.deb"
done
