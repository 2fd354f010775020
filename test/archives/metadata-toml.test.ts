import { expect, it } from 'vitest';
import { parseCargoToml } from '../../src/archives/metadata-toml.js';

const cargo = (toml: string) => parseCargoToml(Buffer.from(toml));

it('Cargo.toml gives name, version, description and homepage of its package', () => {
  const toml =
    '\ufeff# x\r\n[dependencies]\r\nname = "other"\r\n[package]\r\nname = "tiny"\r\nversion = "1.0.0"\r\ndescription = """a\r\ntool"""\r\nhomepage = "https://example.org"\r\n';
  expect(cargo(toml)).toEqual({
    ...{ kind: 'crate', name: 'tiny', version: '1.0.0', summary: 'a tool', homePage: 'https://example.org' },
  });
});

it.each([
  '',
  'package = 1',
  '[package]\nname = "tiny"\n',
  '[package]\nname = "tiny"\nversion = 1.0\n',
  '[package]\nname = "tiny"\nversion.workspace = true\n',
  '[package]\nname = "tiny"\nversion = "1"\nversion = "2"\n',
  '[package.__proto__]\nname = "tiny"\nversion = "1"\n',
  '[__proto__.package]\nname = "tiny"\nversion = "1"\n',
  '[[package]]\nname = "tiny"\nversion = "1"\n',
  '[package]\nname = "tiny"\nversion = "1\0"\n',
])('T16: is absent in %j', (toml) => {
  expect(cargo(toml)).toBeNull();
  expect('version' in {}).toBe(false);
});

it('T16: a mebibyte of nested tables, dotted keys or anything is refused or read, and never throws', () => {
  for (const unit of ['[', 'a.', '{a=', '[[a]]\n', '1,', '"', '#\n', '= ', 'a = 1\n', '\n']) {
    for (const start of ['', 'a = ', 'a = [', '[package]\n'])
      cargo(start + unit.repeat(2 ** 20 / unit.length));
  }
});
