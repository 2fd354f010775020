import { describe, expect, it } from 'vitest';
import { byPlatform } from '../../src/page/platforms.js';
import { newKey, newPlace, sdist } from '../packsign.js';

const titles = (...files: readonly (readonly [path: string, platform?: string])[]) =>
  byPlatform(files.map(([path, platform = '']) => ({ path, platform }))).map(({ title }) => title);

describe('files by platform', () => {
  it('have the names that people use, however the files write them', () => {
    expect(
      titles(
        ['a.tar.gz', 'linux-amd64'],
        ['b.tar.xz', 'x86_64-unknown-linux-musl'],
        ['c.whl', 'cp312-cp312-manylinux_2_17_x86_64'],
      ),
    ).toEqual(['Linux, x86-64']);
    expect(titles(['a.zip', 'darwin-arm64'], ['b.dmg'], ['c.exe', 'x86'], ['d.deb', 'armhf'])).toEqual([
      'Linux, ARM 32-bit',
      'macOS',
      'macOS, ARM64',
      'Windows, x86 32-bit',
    ]);
  });

  it('may be for several systems, or for an architecture alone', () => {
    expect(titles(['a.tgz', 'linux-darwin-arm64-amd64'], ['b.tgz', 'riscv64'])).toEqual([
      'Linux and macOS, ARM64 and x86-64',
      'riscv64, any system',
    ]);
  });

  it('come in the order of the titles, without a platform last', () => {
    const [, other, any] = byPlatform([
      { path: 'a.tar.gz', platform: '' },
      { path: 'b.whl', platform: 'py3-none-any' },
      { path: 'c.tar.gz', platform: 'amiga' },
      { path: 'd.tar.gz', platform: 'windows' },
    ]);
    expect(other).toMatchObject({ title: 'Other platforms', systems: 'other', rows: [{ path: 'c.tar.gz' }] });
    expect(any).toMatchObject({
      title: 'Any system',
      systems: '',
      architectures: '',
      rows: [{ path: 'a.tar.gz' }, { path: 'b.whl' }],
    });
  });

  it('stand on the page one platform below the other, each file once, the newest first', async () => {
    const place = newPlace();
    place.write('key.asc', (await newKey('Ada')).signing);
    const names = ['1.9.0', '1.10.0'].flatMap((version) =>
      ['', '_windows_amd64', '_linux_arm64', '_linux_amd64'].map(
        (platform) => `lantern_${version}${platform}.tar.gz`,
      ),
    );
    for (const name of names) place.write(`dist/${name}`, sdist(name, '1'));
    place.write('dist/packsign.json', JSON.stringify({ Page: true }));
    const run = await place.packsign(['build', 'dist', '--first', '--key', 'key.asc']);
    expect(run.status, run.stderr).toBe(0);
    const html = place.text('dist/index.html');
    const found = html.matchAll(/<h3 id="platform-\d"[^>]*>([^<]+) <|<th><a href="([^"]+)">/g);
    expect(Array.from(found, ([, title, path]) => title ?? path)).toEqual([
      ...['Linux, ARM64', 'lantern_1.10.0_linux_arm64.tar.gz', 'lantern_1.9.0_linux_arm64.tar.gz'],
      ...['Linux, x86-64', 'lantern_1.10.0_linux_amd64.tar.gz', 'lantern_1.9.0_linux_amd64.tar.gz'],
      ...['Windows, x86-64', 'lantern_1.10.0_windows_amd64.tar.gz', 'lantern_1.9.0_windows_amd64.tar.gz'],
      ...['Any system', 'lantern_1.10.0.tar.gz', 'lantern_1.9.0.tar.gz'],
    ]);
  });

  it('say so if there are none', async () => {
    const place = newPlace();
    place.write('key.asc', (await newKey('Ada')).signing);
    place.write('dist/lantern-1.0.tar.gz', sdist('lantern', '1.0'));
    const build = ['build', 'dist', '--key', 'key.asc'];
    expect((await place.packsign([...build, '--first'])).status).toBe(0);
    place.remove('dist/lantern-1.0.tar.gz');
    expect((await place.packsign([...build, '--absent', 'withdraw'])).status).toBe(0);
    expect((await place.packsign(['page', 'dist'])).status).toBe(0);
    const html = place.text('dist/index.html');
    expect(html).toContain('The database lists no file.');
    expect(html).not.toMatch(/<table|sha256sum/);
  });
});
