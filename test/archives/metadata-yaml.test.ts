import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { parseChart, parseGem } from '../../src/archives/metadata-yaml.js';

const chart = (yaml: string) => parseChart(Buffer.from(yaml), 'tiny/Chart.yaml');
const gem = (yaml: string) => parseGem(gzipSync(yaml));
const NAMED = 'name: tiny\nversion: 1.10\n';

describe('Chart.yaml', () => {
  it('gives name and version as they are written, and not as numbers', () => {
    expect(
      chart(`\ufeff# c\napiVersion: v2\n${NAMED}home: https://example.org\ndescription: >-\n  a\n  tool\n`),
    ).toEqual({
      ...{ kind: 'helm', name: 'tiny', version: '1.10', summary: 'a tool', homePage: 'https://example.org' },
    });
    expect(chart('"name": "tiny"\nversion: \'1.0\' # x\r\n')).toMatchObject({ version: '1.0' });
  });

  it.each([
    '',
    'name: tiny\n',
    'name: other\nversion: 1\n',
    `${NAMED}version: 2\n`,
    `${NAMED}---\n${NAMED}`,
    'name: tiny\nversion: [1]\n',
    'name: tiny\nversion: *x\n',
    'x: &x 1.0\nname: tiny\nversion: *x\n',
    '<<: &m {version: "1"}\nname: tiny\n',
    '__proto__:\n  version: "1"\nname: tiny\n',
    'name: tiny\nversion: "1\n',
    '[name, tiny]',
  ])('T16: is absent in %j', (yaml) => {
    expect(chart(yaml)).toBeNull();
    expect('version' in {}).toBe(false);
  });
});

describe('the metadata of a gem', () => {
  const YAML =
    '--- !ruby/object:Gem::Specification\nname: tiny\nversion: !ruby/object:Gem::Version\n  version: 1.0.0\n';

  it('is read also if it lists ten thousand files, and makes no object of a tag', () => {
    const files = Array.from({ length: 10_000 }, (_, at) => `- lib/tiny/file-${at}.rb\n`).join('');
    expect(gem(`${YAML}platform: java\nfiles:\n${files}summary: a tool\n`)).toEqual({
      ...{ kind: 'gem', name: 'tiny', version: '1.0.0', platform: 'java', summary: 'a tool', homePage: null },
    });
    expect(gem(`${YAML}platform: !ruby/object:Kernel\n  cpu: ''\n`)).not.toHaveProperty('platform');
  });

  it('T16: is absent if it is no gzip, or more than a mebibyte', () => {
    expect(parseGem(Buffer.from(YAML))).toBeNull();
    expect(gem(`${YAML}x: ${'x'.repeat(2 ** 20)}`)).toBeNull();
    expect(gem('version: 1.0\nname: tiny\n')).toBeNull();
  });
});

it('T16: bombs of YAML, alone or as a wanted value, are not worked on', () => {
  // Whole, each takes the parser up to half a minute and a gigabyte.
  const units = [
    '[',
    '{a: ',
    '- ',
    '? ',
    '- &a x\n',
    '---\n',
    '}',
    '"\n',
    '\n',
    ': \n',
    'k: v\n',
    '- !x y\n',
  ];
  for (const unit of units) {
    const bomb = unit.repeat(2 ** 20 / unit.length);
    const short = bomb.slice(0, 5000);
    for (const yaml of [
      `${NAMED}${bomb}`,
      `description: ${short}`,
      `description:\n  ${short.replaceAll('\n', '\n  ')}\n`,
    ]) {
      const found = chart(yaml);
      if (found !== null) expect(found).toMatchObject({ name: 'tiny', version: '1.10' });
    }
  }
  const aliases = Array.from({ length: 30 }, (_, at) => `x${at + 1}: &x${at + 1} [*x${at}, *x${at}]`);
  expect(chart(`${NAMED}x0: &x0 x\n${aliases.join('\n')}\n`)).toMatchObject({ name: 'tiny' });
});
