# A debhelper sequence: `dh $@ --with lpcc`, or for packages that are left as they are DH_EXTRA_ADDONS=lpcc in the
# environment. Puts lpcc's shims first on PATH for every step of the build, records below debian/.debhelper (which
# dh_clean removes), and has dh_lpcc lay the exported recording beside the packages. A build without lpcc, or with
# LPCC_DISABLE, goes on as if this were not here.
use warnings;
use strict;
use Cwd qw(getcwd);
use Debian::Debhelper::Dh_Lib;

my $on = !$ENV{LPCC_DISABLE};
if ($on && !$ENV{DH_LPCC_STORE} && -e 'debian/control') {
	my $store = getcwd() . '/debian/.debhelper/lpcc';
	# Lays the shims into the store; says nothing, and nothing depends on it.
	if (system("lpcc run --store '$store' -- true </dev/null >/dev/null 2>&1") == 0) {
		$ENV{DH_LPCC_STORE} = $ENV{LPCC_STORE} = $store;
		$ENV{PATH} = "$store/shims:$ENV{PATH}";
	}
}
# After the build's last compile, before anything is stripped.
insert_before('dh_strip', 'dh_lpcc');

1;
