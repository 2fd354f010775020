import { describe, expect, it } from 'vitest';
import { fitOf, machineNamed, namesSystem } from '../../src/model/platform.js';
import type { Fit } from '../../src/model/platform.js';

describe('a platform', () => {
  it.each([
    'linux-amd64',
    'x86_64',
    'Linux',
    'macos-universal',
    'darwin-all',
    'win32',
    '64bit',
    'windows-64-bit',
    'x86_64-unknown-linux-musl',
    'cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64',
    'cp39-abi3-win_amd64',
    'linux-any',
    'linux-64',
    // A word that nobody knows may be a system.
    'amigaos',
  ])('%s names a system or an architecture', (platform) => {
    expect(namesSystem(platform)).toBe(true);
  });

  it.each([
    'any',
    'all',
    'noarch',
    'universal',
    'none',
    'java',
    'ruby',
    'static',
    'musl',
    'py3-none-any',
    'py2.py3-none-any',
  ])('%s names none', (platform) => {
    expect(namesSystem(platform)).toBe(false);
  });
});

// Platform, path, and how it goes with Linux on x64 with glibc and with musl, macOS on arm64, Windows on x64, macOS on x64.
const TABLE = `
linux-amd64|a.tar.gz|made made other other other
Linux-x86_64|a.tar.gz|made made other other other
linux-x64|a.tar.gz|made made other other other
linux64|a.tar.gz|made made other other other
x86_64-unknown-linux-gnu|a.tar.xz|made other other other other
x86_64-unknown-linux-musl|a.tar.xz|made made other other other
x86_64-linux-gnu|a.gem|made other other other other
cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64|a.whl|made other other other other
cp312-cp312-musllinux_1_1_x86_64|a.whl|other made other other other
linux-x64-musl|a.tar.gz|made made other other other
linux-amd64v1|a.tar.gz|made made other other other
linux-amd64v3|a.tar.gz|other other other other other
x86_64_v3|a.tar.gz|other other other other other
linux-arm64|a.tar.gz|other other other other other
aarch64-unknown-linux-gnu|a.tar.gz|other other other other other
linux-386|a.tar.gz|other other other other other
linux-armv7|a.tar.gz|other other other other other
linux-ppc64le|a.tar.gz|other other other other other
amd64|a.deb|made made other other other
x86_64|a.rpm|made made other other other
amd64|a.snap|made made other other other
arm64|a.deb|other other other other other
all|a.deb|made made other other other
noarch|a.rpm|made made other other other
any|a.pkg.tar.zst|made made other other other
|a.deb|made made other other other
|a.AppImage|made made other other other
arm64|a.AppImage|other other other other other
x86_64|a-1.0-r0.apk|made made other other other
|a.apk|other other other other other
darwin-all|a.tar.gz|other other made other made
macos-universal|a.tar.gz|other other made other made
macos-universal2|a.tar.gz|other other made other made
cp312-cp312-macosx_10_9_universal2|a.whl|other other made other made
darwin-arm64|a.tar.gz|other other made other other
aarch64-apple-darwin|a.tar.xz|other other made other other
macos-silicon|a|other other made other other
macos-intel|a|other other other other made
x86_64-apple-darwin|a.tar.xz|other other other other made
osx-arm64|a.conda|other other made other other
osx-64|a.conda|other other other other made
universal|a.dmg|other other made other made
|a.dmg|other other made other made
arm64|a.dmg|other other made other other
|a.pkg|other other made other made
mac|a.zip|other other made other made
windows-amd64|a.zip|other other other made other
x86_64-pc-windows-msvc|a.zip|other other other made other
x86_64-pc-windows-gnu|a.zip|other other other made other
win64|a.zip|other other other made other
win32-x64|a.zip|other other other made other
winx64|a.msi|other other other made other
x64|a.exe|other other other made other
x86|a.exe|other other other other other
arm64|a.exe|other other other other other
|a.exe|other other other made other
|a.msi|other other other made other
cp39-abi3-win_amd64|a.whl|other other other made other
windows-386|a.zip|other other other other other
freebsd-amd64|a.tar.gz|other other other other other
x64|a.tar.gz|made made other made made
x86_64|a.tar.gz|made made other made made
|a.tar.gz|everywhere everywhere everywhere everywhere everywhere
any|a.tar.gz|everywhere everywhere everywhere everywhere everywhere
py3-none-any|a.whl|everywhere everywhere everywhere everywhere everywhere
noarch|a.conda|everywhere everywhere everywhere everywhere everywhere
java|a.gem|everywhere everywhere everywhere everywhere everywhere
wasm32-wasi|a.tar.gz|other other other other other
wasm32-unknown-unknown|a.tar.gz|other other other other other
amigaos|a.lha|other other other other other
`;
const MACHINES = ['x86_64-linux-gnu', 'x86_64-linux-musl', 'darwin-arm64', 'windows-amd64', 'darwin/x64'].map(
  (name) => machineNamed(name)!,
);

describe('what goes with a machine', () => {
  it.each(
    TABLE.trim()
      .split('\n')
      .map((line) => line.split('|')),
  )('%s of %s: %s', (platform, path = '', fits = '') => {
    const found: Fit[] = MACHINES.map((machine) =>
      fitOf({ path, platform: platform === '' ? undefined : platform }, machine),
    );
    expect(found.join(' ')).toBe(fits);
  });

  const RARE = [
    ...['sparc', 'sparc64', 'ppc', 'ppc64', 'ppc64le', 's390', 's390x', 'm68k', 'ia64', 'riscv32', 'riscv64'],
    ...['mips', 'mipsel', 'mips64', 'mips64el', 'mipsr6', 'mipsr6el', 'mips64r6', 'mips64r6el', 'wasm64'],
  ];

  it.each(RARE)('on %s is nothing for another architecture', (word) => {
    const machine = machineNamed(`linux-${word}`)!;
    const fits = RARE.filter((other) => fitOf({ path: 'a', platform: `linux-${other}` }, machine) === 'made');
    expect(fits).toEqual([word]);
  });

  const SYSTEMS = [
    ...['linux', 'android', 'ios', 'iphonesimulator', 'tvos', 'watchos', 'haiku', 'plan9', 'dragonfly'],
    ...['hpux', 'zos', 'emscripten', 'fuchsia', 'wasi', 'aix', 'solaris', 'freebsd'],
  ];

  it.each(SYSTEMS)('of %s is nothing for another system', (word) => {
    const machine = machineNamed(`${word}-arm64`)!;
    const fits = SYSTEMS.filter(
      (other) => fitOf({ path: 'a', platform: `${other}-arm64` }, machine) === 'made',
    );
    expect(fits).toEqual([word]);
  });

  it('of Android is nothing for Linux', () => {
    const file = { path: 'a', platform: 'aarch64-linux-android' };
    expect(fitOf(file, machineNamed('linux-arm64')!)).toBe('other');
    expect(fitOf(file, machineNamed('aarch64-linux-android')!)).toBe('made');
  });

  it.each([
    ['armv5', 'made other other'],
    ['armel', 'made other other'],
    ['armv6', 'made made other'],
    ['arm', 'made made other'],
    ['raspbian-armhf', 'made made other'],
    ['arm-unknown-linux-musleabihf', 'made made other'],
    ['armv7', 'made made made'],
    ['arm-7', 'made made made'],
    ['arm-6', 'made made other'],
    ['armhf', 'made made made'],
    ['arm-linux-gnueabihf', 'made made made'],
    ['arm64', 'other other other'],
  ])('on linux-%s runs the levels below its own', (word, fits) => {
    const machine = machineNamed(`linux-${word}`)!;
    const found = ['armel', 'armv6', 'armv7'].map((level) =>
      fitOf({ path: 'a', platform: `linux-${level}` }, machine),
    );
    expect(found.join(' ')).toBe(fits);
  });

  it('is asked of a machine that a word names', () => {
    expect(machineNamed('windows')).toEqual({ system: 'win32', architecture: null, level: 0, libc: null });
    expect(machineNamed('linux/arm64')).toEqual({
      ...{ system: 'linux', architecture: 'arm64', level: 0, libc: 'glibc' },
    });
    expect(machineNamed('linux/arm/v7')).toMatchObject({ architecture: 'arm', level: 7 });
    expect(machineNamed('linux/amd64/v3')).toMatchObject({ architecture: 'x64', level: 3 });
    expect(machineNamed('linux/arm64/v8')).toMatchObject({ architecture: 'arm64' });
    expect(machineNamed('linux-hppa')).toBeNull();
    expect(machineNamed('any')).toBeNull();
    expect(machineNamed('lantern')).toBeNull();
  });
});
