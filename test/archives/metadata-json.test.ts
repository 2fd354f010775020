import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseCondaIndex, parseExtensionJson, parsePackageJson } from '../../src/archives/metadata-json.js';

function bytesOf(value: unknown): Buffer {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
}

function json(value: unknown) {
  return parsePackageJson(bytesOf(value));
}

describe('package.json', () => {
  it('gives name, version, description and homepage', () => {
    expect(
      json({ name: '@scope/x', version: '1.0.0', description: 'a\n b', homepage: 'https://example.org' }),
    ).toEqual({
      kind: 'npm',
      name: '@scope/x',
      version: '1.0.0',
      summary: 'a b',
      homePage: 'https://example.org',
    });
  });

  it('may begin with a byte-order mark', () => {
    expect(json('\ufeff{"name":"x","version":"1"}')).toMatchObject({ name: 'x' });
  });

  it.each([
    '',
    '[]',
    'null',
    '"x"',
    '{',
    '{"name":"x"}',
    '{"name":"x","version":1}',
    '{"name":["x"],"version":"1"}',
  ])('is absent in %s', (text) => {
    expect(json(text)).toBeNull();
  });

  it('T16: reads only own properties, and touches no prototype', () => {
    expect(json('{"__proto__":{"name":"x","version":"1"}}')).toBeNull();
    expect(json('{"__proto__":{"description":"d"},"name":"x","version":"1"}')?.summary).toBe('');
    expect(json('{"constructor":{"prototype":{"name":"x"}},"version":"1"}')).toBeNull();
    expect('name' in {}).toBe(false);
  });

  it('is absent if it is private, which npm never packs', () => {
    expect(json({ name: 'x', version: '1', private: true })).toBeNull();
    expect(json({ name: 'x', version: '1', private: false })).toMatchObject({ name: 'x' });
    expect(json('{"name":"x","version":"1","__proto__":{"private":true}}')).toMatchObject({ name: 'x' });
  });

  it('T16: survives deep nesting', () => {
    expect(json(`{"name":"x","version":"1","a":${'['.repeat(500_000)}`)).toBeNull();
  });
});

describe('package.json of an extension', () => {
  it('counts also if it is private', () => {
    const value = {
      name: 'lantern',
      version: '1.2.0',
      publisher: 'example',
      private: true,
      description: 'd',
    };
    expect(parseExtensionJson(bytesOf(value))).toEqual({
      ...{ kind: 'vsix', name: 'lantern', version: '1.2.0', summary: 'd', homePage: null },
    });
  });
});

describe('index.json of a conda package', () => {
  const index = { name: 'lantern', version: '1.2.0', build: 'py311_0', build_number: 0, subdir: 'linux-64' };

  it('gives name, version and platform', () => {
    expect(parseCondaIndex(bytesOf(index))).toEqual({
      ...{
        kind: 'conda',
        name: 'lantern',
        version: '1.2.0',
        platform: 'linux-64',
        summary: '',
        homePage: null,
      },
    });
    expect(parseCondaIndex(bytesOf({ ...index, subdir: 'no/platform' }))).not.toHaveProperty('platform');
  });

  it('is absent without a build: the file is of another kind', () => {
    expect(parseCondaIndex(bytesOf({ ...index, build: undefined }))).toBeNull();
    expect(parseCondaIndex(bytesOf([index]))).toBeNull();
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        for (const parse of [parsePackageJson, parseExtensionJson, parseCondaIndex])
          parse(Buffer.from(bytes));
      }),
    );
  });
});
