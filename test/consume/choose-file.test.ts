import { describe, expect, test } from 'vitest';
import { findFile } from '../../src/consume/choose-file.js';
import type { FileEntry } from '../../src/model/file-entry.js';
import { readPath } from '../../src/model/file-name.js';
import { archive, HASH_A } from '../model/databases.js';

/** Entries as a build without metadata makes them. */
function listing(paths: readonly string[]): ReadonlyMap<string, FileEntry> {
  return new Map(
    paths.map((path) => {
      const { name, version, platform } = readPath(path);
      const { Name: _, Version: __, Flavor: ___, ...bytes } = archive(HASH_A);
      const named =
        name === null || version === null ? {} : { Name: name, Version: version, Flavor: 'installer' };
      return [path, { ...bytes, ...named, ...(platform === null ? {} : { Platform: platform }) }];
    }),
  );
}

async function find(wanted: string, paths: readonly string[], platform: string | null = 'linux-x64') {
  const options = { allowPre: false, from: null, place: 'example.org', platform };
  return await findFile(wanted, listing(paths), options);
}

async function pathOf(...args: Parameters<typeof find>): Promise<string> {
  return (await find(...args)).file.path;
}

describe('the newest release for a machine', () => {
  const RG = ['rg-12.1.0.tar.gz', 'rg-13.0.0-x86_64-unknown-linux-musl.tar.gz'];

  test('is found where its name holds a platform', async () => {
    expect(await pathOf('rg', RG)).toBe(RG[1]);
  });

  test('PLATFORM_MISSING: is never a file for another system, nor an older release', async () => {
    await expect(find('rg', RG, 'darwin-arm64')).rejects.toMatchObject({
      ...{ code: 'PLATFORM_MISSING' },
      message: expect.stringContaining(`there is no rg 13.0.0 for darwin-arm64, only\n  ${RG[1]!}`) as string,
    });
    for (const path of ['lantern-1.0.exe', 'lantern-1.0.dmg', 'lantern-1.0-x64.exe']) {
      await expect(find('lantern', [path])).rejects.toMatchObject({ code: 'PLATFORM_MISSING' });
    }
  });

  const ALL = [
    ...['linux_amd64', 'linux_arm64', 'darwin_all', 'windows_amd64'].map(
      (part) => `lantern_1.10.0_${part}.zip`,
    ),
    'lantern-1.10.0.zip',
    'lantern_1.9.0_linux_amd64.zip',
  ];

  test.each([
    ['linux-x64', 'lantern_1.10.0_linux_amd64.zip'],
    ['aarch64-unknown-linux-gnu', 'lantern_1.10.0_linux_arm64.zip'],
    ['darwin-arm64', 'lantern_1.10.0_darwin_all.zip'],
    ['windows', 'lantern_1.10.0_windows_amd64.zip'],
    // Nothing was made for it.
    ['freebsd-amd64', 'lantern-1.10.0.zip'],
  ])('for %s is %s', async (platform, path) => {
    expect(await pathOf('lantern', ALL, platform)).toBe(path);
  });

  test('for the machine that this runs on is asked of Node', async () => {
    const words =
      { linux: 'linux', darwin: 'darwin', win32: 'windows' }[process.platform as string] ?? 'linux';
    const own = `lantern_1.0_${words}_${process.arch}.zip`;
    expect(await pathOf('lantern', [own, 'lantern_1.0_haiku_x64.zip'], null)).toBe(own);
  });

  test('is the one for its own C library, where there are several', async () => {
    const both = ['gnu', 'musl'].map((libc) => `rg-1.0-x86_64-unknown-linux-${libc}.zip`);
    expect(await pathOf('rg', both)).toBe(both[0]);
    expect(await pathOf('rg', both, 'x86_64-unknown-linux-musl')).toBe(both[1]);
  });

  const ARM = ['armv5', 'armv6', 'armv7'].map((level) => `pp-1.0-linux-${level}.tar.gz`);

  test('is the one for the highest level of its architecture', async () => {
    expect(await pathOf('pp', ARM, 'linux-armv7')).toBe(ARM[2]);
    expect(await pathOf('pp', ARM, 'linux-armv6')).toBe(ARM[1]);
    expect(await pathOf('pp', ARM, 'linux-armel')).toBe(ARM[0]);
    const triples = ['armv7-unknown-linux-gnueabihf', 'arm-unknown-linux-musleabihf'].map(
      (part) => `pp-1.0-${part}.zip`,
    );
    expect(await pathOf('pp', triples, 'linux-armv6')).toBe(triples[1]);
    expect(await pathOf('pp', triples, 'linux-armv7')).toBe(triples[0]);
    const x64 = ['amd64', 'amd64v2', 'amd64v3', 'amd64v4'].map((part) => `pp-1.0-linux-${part}.zip`);
    expect(await pathOf('pp', x64)).toBe(x64[0]);
    expect(await pathOf('pp', x64, 'linux-amd64v3')).toBe(x64[2]);
  });

  test('PLATFORM_MISSING: needs a higher level than the machine has', async () => {
    await expect(find('pp', [ARM[2]!], 'linux-armv6')).rejects.toMatchObject({
      code: 'PLATFORM_MISSING',
      message: expect.stringContaining(' for linux-armv6, only') as string,
    });
  });

  test('for this machine has the level of ARM that Node was compiled for', async () => {
    const own = ['arch', 'platform', 'config'].map(
      (key) => [key, Object.getOwnPropertyDescriptor(process, key)!] as const,
    );
    try {
      Object.defineProperty(process, 'platform', { value: 'linux', configurable: true });
      Object.defineProperty(process, 'arch', { value: 'arm', configurable: true });
      for (const [version, path] of [
        ['7', ARM[2]],
        ['6', ARM[1]],
        ['default', ARM[1]],
      ]) {
        Object.defineProperty(process, 'config', {
          value: { variables: { arm_version: version } },
          configurable: true,
        });
        expect(await pathOf('pp', ARM, null)).toBe(path);
      }
    } finally {
      for (const [key, descriptor] of own) Object.defineProperty(process, key, descriptor);
    }
  });

  test('PLATFORM_MISSING: names an older version that has it, and downloads nothing', async () => {
    const entries = new Map([
      [
        'epo_1.0-1_amd64.deb',
        archive(HASH_A, { Name: 'epo', Version: '1:1.0-1', Platform: 'amd64' }),
      ] as const,
      [
        'epo_1.0-2_arm64.deb',
        archive(HASH_A, { Name: 'epo', Version: '1:1.0-2', Platform: 'arm64' }),
      ] as const,
    ]);
    const options = { allowPre: false, from: 'example.org', place: 'example.org', platform: 'linux-x64' };
    await expect(findFile('epo', entries, options)).rejects.toMatchObject({
      ...{ code: 'PLATFORM_MISSING' },
      message: [
        'there is no epo 1:1.0-2 for linux-x64, only',
        '  epo_1.0-2_arm64.deb  1:1.0-2  arm64',
        'for linux-x64 there is',
        '  epo_1.0-1_amd64.deb  1:1.0-1  amd64',
      ].join('\n'),
      hint: 'packsign get epo==1:1.0-1 --from example.org --platform linux-x64',
    });
    await expect(findFile('epo==1:1.0-2', entries, options)).rejects.toMatchObject({
      message: 'there is no epo==1:1.0-2 for linux-x64, only\n  epo_1.0-2_arm64.deb  1:1.0-2  arm64',
    });
  });

  test('AMBIGUOUS: a package for one installer does not displace an archive for another C library', async () => {
    const archive = 'ripgrep-14.1.1-x86_64-unknown-linux-musl.tar.gz';
    for (const other of ['ripgrep_14.1.1-1_amd64.deb', 'ripgrep-14.1.1-x86_64.AppImage']) {
      await expect(find('ripgrep', [other, archive])).rejects.toMatchObject({ code: 'AMBIGUOUS' });
      expect(await pathOf('ripgrep', [other, archive], 'x86_64-unknown-linux-musl').catch(() => 'none')).toBe(
        'none',
      );
    }
  });

  test('AMBIGUOUS: is not chosen among kinds of packages, whose revisions do not count', async () => {
    const kinds = [
      'lantern_1.2.0-3_amd64.deb',
      'lantern-1.2.0-1.x86_64.rpm',
      'lantern_1.2.0_linux_amd64.tar.gz',
    ];
    const older = ['lantern_1.2.0-2_amd64.deb', 'lantern_1.1.9_amd64.deb'];
    await expect(find('lantern', [...kinds, ...older])).rejects.toMatchObject({
      ...{ code: 'AMBIGUOUS' },
      message: [
        'lantern is more than one file:',
        '  lantern_1.2.0-3_amd64.deb  1.2.0-3  amd64',
        '  lantern-1.2.0-1.x86_64.rpm  1.2.0-1  x86_64',
        '  lantern_1.2.0_linux_amd64.tar.gz  1.2.0  linux-amd64',
      ].join('\n'),
    });
    expect(await pathOf('lantern', [kinds[0]!, ...older])).toBe(kinds[0]);
  });

  test('of an exact version is chosen by platform too, and a path needs none', async () => {
    expect(await pathOf('lantern==1.9.0', ALL)).toBe('lantern_1.9.0_linux_amd64.zip');
    await expect(find('lantern==1.9.0', ALL, 'windows')).rejects.toMatchObject({ code: 'PLATFORM_MISSING' });
    expect(await pathOf('lantern_1.10.0_windows_amd64.zip', ALL)).toBe('lantern_1.10.0_windows_amd64.zip');
  });

  test('USAGE: a platform that names nothing', async () => {
    await expect(find('lantern', ALL, 'lantern')).rejects.toMatchObject({ code: 'USAGE' });
  });
});

describe('PACKAGE_NOT_FOUND', () => {
  const options = { allowPre: false, from: null, place: 'example.org', platform: 'linux-x64' };
  const entry = (version: string, more: object) => archive(HASH_A, { Name: 'mm', Version: version, ...more });

  test('says that a file is mutable, and how to get it', async () => {
    const mutable = new Map([['mm-2.0.tar.gz', entry('2.0', { Mutable: true })]]);
    const both = new Map([...mutable, ['mm-1.0.tar.gz', entry('1.0', {})] as const]);
    for (const [wanted, files] of [
      ['mm==2.0', both],
      ['mm', mutable],
    ] as const) {
      await expect(findFile(wanted, files, options)).rejects.toMatchObject({
        code: 'PACKAGE_NOT_FOUND',
        message: `${wanted} is only in files that change under their names (mutable):\n  mm-2.0.tar.gz  2.0`,
        hint: 'name one by its path: packsign get mm-2.0.tar.gz',
      });
    }
    expect((await findFile('mm', both, options)).file.path).toBe('mm-1.0.tar.gz');
    expect((await findFile('mm-2.0.tar.gz', both, options)).file.path).toBe('mm-2.0.tar.gz');
  });

  test('names each version once, and speaks of yanked ones only where there are some', async () => {
    const files = new Map([
      ['mm-1.0.zip', entry('1.0', {})],
      ['mm-1.0.tar.gz', entry('1.0', {})],
    ]);
    await expect(findFile('mm==2.0', files, options)).rejects.toMatchObject({
      message: 'there is no mm==2.0, only 1.0',
      hint: 'packsign list example.org shows what there is',
    });
    files.set('mm-0.9.zip', entry('0.9', { Yanked: 'broken' }));
    await expect(findFile('mm==2.0', files, options)).rejects.toMatchObject({
      message: 'there is no mm==2.0, only 1.0, 0.9 (yanked)',
      hint: expect.stringContaining('yanked version only if you name it') as string,
    });
  });
});

describe('versions', () => {
  test('that cannot be compared are neither newest nor silently oldest', async () => {
    const files = new Map([
      ...listing(['lantern-1.0.tar.gz', 'lantern-2.0.tar.gz']),
      ['odd.tar.gz', archive(HASH_A, { Name: 'lantern', Version: 'el7-3' })] as const,
    ]);
    const options = { allowPre: false, from: null, place: 'example.org', platform: 'linux-x64' };
    const { file, notices } = await findFile('lantern', files, options);
    expect(file.path).toBe('lantern-2.0.tar.gz');
    expect(notices).toEqual(['versions of lantern that cannot be compared were left out: odd.tar.gz']);
    files.delete('lantern-1.0.tar.gz');
    files.delete('lantern-2.0.tar.gz');
    expect((await findFile('lantern', files, options)).file.path).toBe('odd.tar.gz');
  });

  test.each([
    [['tzdata2023c.tar.gz', 'tzdata2024a.tar.gz'], 'tzdata', 'tzdata2024a.tar.gz'],
    [['boost_1_9_0.zip', 'boost_1_82_0.zip'], 'boost', 'boost_1_82_0.zip'],
    [['openssl-1.1.1w.tar.gz', 'openssl-1.1.1.tar.gz'], 'openssl', 'openssl-1.1.1w.tar.gz'],
    [['vim_8.2~rc1-1_all.deb', 'vim_8.1-9_all.deb', 'vim_8.2-1_all.deb'], 'vim', 'vim_8.2-1_all.deb'],
    [['a-1.0.tar.gz', 'a-1.1rc1.tar.gz', 'a-1.1_odd2.tar.gz'], 'a', 'a-1.0.tar.gz'],
    [['demo-1.0.0.tgz', 'demo-1.0.0-1.tgz'], 'demo', 'demo-1.0.0.tgz'],
  ])('of %j: the newest of %s is %s', async (paths, name, path) => {
    expect(await pathOf(name, paths)).toBe(path);
  });
});
