import { describe, expect, test } from 'vitest';
import { tar, zip } from '../archives/packages.js';
import { codeOf, newKey, newPlace } from '../packsign.js';
import type { Place } from '../packsign.js';

interface Text {
  readonly text: string;
}

interface Result {
  readonly ruleId: string;
  readonly ruleIndex: number;
  readonly level: string;
  readonly message: Text;
  readonly locations: readonly {
    readonly physicalLocation: { readonly artifactLocation: { readonly uri: string } };
  }[];
  readonly partialFingerprints: Readonly<Record<string, string>>;
}

interface Log {
  readonly runs: readonly {
    readonly tool: {
      readonly driver: { readonly rules: readonly (Record<string, unknown> & { id: string })[] };
    };
    readonly results: readonly Result[];
  }[];
}

async function sarifOf(place: Place, ...args: readonly string[]) {
  const { stdout, stderr, status } = await place.packsign(['lint', 'dist', '--sarif', ...args]);
  expect(stderr).toBe('');
  const log = JSON.parse(stdout) as Log;
  const [run] = log.runs;
  return { status, log, rules: run!.tool.driver.rules, results: run!.results };
}

function newDist(): Place {
  const place = newPlace();
  place.write('dist/two words{0} [x](1).tar.gz', tar({ path: 'x' }));
  place.write('dist/a/evil-1.0.tar', tar({ path: '../x' }, { path: '../y' }));
  place.write('dist/a/evil-2.0.zip', zip({ path: '../x' }));
  return place;
}

/** The keys that the schema of SARIF 2.1.0 knows, of the objects that packsign writes. */
const KNOWN: Readonly<Record<string, RegExp>> = {
  log: /^(?:\$schema|version|runs)$/,
  run: /^(?:tool|results|columnKind)$/,
  tool: /^driver$/,
  driver: /^(?:name|version|rules)$/,
  rule: /^(?:id|shortDescription|fullDescription|help|defaultConfiguration)$/,
  result: /^(?:ruleId|ruleIndex|level|message|locations|partialFingerprints)$/,
};

function expectKeys(value: object, kind: string): void {
  for (const key of Object.keys(value)) expect(key, kind).toMatch(KNOWN[kind]!);
}

describe('lint --sarif', () => {
  test('has what the schema of SARIF 2.1.0 and code hosts ask for', async () => {
    const { log, rules, results, status } = await sarifOf(newDist());
    expect(status).toBe(1);
    expect(log).toMatchObject({
      version: '2.1.0',
      $schema: expect.stringMatching(/^https:.*sarif-schema-2\.1\.0\.json$/) as unknown,
    });
    expectKeys(log, 'log');
    expectKeys(log.runs[0]!, 'run');
    expectKeys(log.runs[0]!.tool, 'tool');
    expectKeys(log.runs[0]!.tool.driver, 'driver');
    expect(log.runs[0]!.tool.driver).toMatchObject({
      name: 'packsign',
      version: expect.stringMatching(/^\d/) as unknown,
    });
    for (const rule of rules) {
      expectKeys(rule, 'rule');
      for (const key of ['shortDescription', 'fullDescription', 'help'])
        expect((rule[key] as Text).text, rule.id).toMatch(/./);
      expect(rule['defaultConfiguration']).toEqual({
        level: expect.stringMatching(/^(?:error|warning|note)$/) as unknown,
      });
    }
    expect(new Set(rules.map(({ id }) => id)).size).toBe(rules.length);
    expect(results.length).toBeGreaterThan(3);
    for (const result of results) {
      expectKeys(result, 'result');
      expect(rules[result.ruleIndex]?.id).toBe(result.ruleId);
      expect(result.level).toMatch(/^(?:error|warning|note)$/);
      expect(result.message.text).toMatch(/./);
      expect(result.locations).toHaveLength(1);
      expect(result.locations[0]).toEqual({
        physicalLocation: {
          artifactLocation: { uri: expect.stringMatching(/^dist\/[A-Za-z0-9/._~!*'()%-]+$/) as unknown },
          region: { startLine: 1 },
        },
      });
    }
  });

  test('escapes names, in addresses and in messages', async () => {
    const { results } = await sarifOf(newDist());
    const { locations, message } = results.find(({ ruleId }) => ruleId === 'UNSAFE_NAME')!;
    const { uri } = locations[0]!.physicalLocation.artifactLocation;
    expect(decodeURIComponent(uri)).toBe('dist/two words{0} [x](1).tar.gz');
    expect(message.text).toContain("mv -n 'dist/two words{{0}} \\[x\\](1).tar.gz'");
  });

  test('points at the file to change for what is about the whole', async () => {
    const place = newDist();
    place.write('key.asc', (await newKey('Ann', { lifeSeconds: 10 })).secret);
    const { results } = await sarifOf(place, '--key', 'key.asc');
    const uriOf = (code: string) =>
      results.find(({ ruleId }) => ruleId === code)!.locations[0]!.physicalLocation.artifactLocation.uri;
    expect(uriOf('KEY_EXPIRED')).toBe('dist/keys.asc');
    expect(uriOf('NO_DATABASE')).toBe('dist/packsign.json');
  });

  test('knows each finding again, and none twice', async () => {
    const place = newDist();
    const marks = async () =>
      (await sarifOf(place)).results.map(
        ({ partialFingerprints }) => partialFingerprints['primaryLocationLineHash'],
      );
    const first = await marks();
    expect(first).not.toContain(undefined);
    expect(new Set(first).size).toBe(first.length);
    place.write('dist/more-1.0.tar', tar({ path: 'x' }));
    expect(await marks()).toEqual(expect.arrayContaining(first));
  });

  test('an absolute directory below the current folder has the same places', async () => {
    const place = newDist();
    const { stdout } = await place.packsign(['lint', place.path('dist'), '--sarif']);
    const urisOf = (results: readonly Result[]) =>
      results.map(({ locations }) => locations[0]!.physicalLocation.artifactLocation.uri);
    expect(urisOf((JSON.parse(stdout) as Log).runs[0]!.results)).toEqual(
      urisOf((await sarifOf(place)).results),
    );
  });

  test('a directory elsewhere has places relative to itself', async () => {
    const [place, other] = [newPlace(), newDist()];
    const { stdout } = await place.packsign(['lint', other.path('dist'), '--sarif']);
    const uris = (JSON.parse(stdout) as Log).runs[0]!.results.map(
      ({ locations }) => locations[0]!.physicalLocation.artifactLocation.uri,
    );
    expect(uris).toContain('a/evil-1.0.tar');
    expect(uris.filter((uri) => /^(?:[a-z]+:|\/|\.\.)/.test(uri))).toEqual([]);
  });

  test('is valid without a finding, and never mixed with something else', async () => {
    const place = newPlace();
    place.write(
      'dist/packsign.json',
      '{"Database":"https://example.org/","Base-URL":"https://example.org/","Maintainer":"A"}',
    );
    place.write('dist/demo-1.0.tar', tar({ path: 'x' }));
    expect(await sarifOf(place, '--first')).toMatchObject({ status: 0, results: [], rules: [] });
    for (const other of ['--json', '--quiet']) {
      const run = await place.packsign(['lint', 'dist', '--sarif', other, '--verbose']);
      expect([run.status, run.stderr]).toEqual([2, expect.stringContaining('(USAGE)')]);
    }
    expect(codeOf(await place.json(['lint', 'dist', '--sarif']))).toBe('USAGE');
  });
});
