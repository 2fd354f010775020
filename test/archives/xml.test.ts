import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readXml } from '../../src/archives/xml.js';

/** Each element as `path attribute=value… text`. */
function read(xml: string | Buffer): readonly string[] | null {
  const elements = readXml(Buffer.from(xml as string));
  return (
    elements?.map(({ path, attributes, text }) =>
      [path, ...Array.from(attributes, ([key, value]) => `${key}=${value}`), text].join(' ').trimEnd(),
    ) ?? null
  );
}

describe('XML', () => {
  it('gives elements with their paths, attributes and texts', () => {
    const xml = `\ufeff<?xml version="1.0"?>\r\n<!-- <x> -->\n<n:a xmlns:n='u>v'><b k="1 &amp; 2"/>\n<b>&lt;t&#233;&#x1F600;<!-- no --><![CDATA[<&>]]></b ><c><d><e>deep</e></d></c></n:a>\n`;
    const elements = ['a/b k=1 & 2', 'a/b <t\u00e9\u{1f600}<&>', 'a/c/d', 'a/c', 'a xmlns:n=u>v'];
    expect(read(xml)).toEqual(elements);
    expect(read(Buffer.from(xml, 'utf16le'))).toEqual(elements);
  });

  it.each([
    '',
    'text',
    '<a>',
    '</a>',
    '<a></b>',
    '<a/><b/>',
    '<a/>text',
    '<a b=1/>',
    '<a b="1" b="2"/>',
    '<a b="<"/>',
    '<a b="1/>',
    '<a',
    '< a/>',
    '<a><!-- </a>',
    '<a><![CDATA[</a>',
    '<a>&nbsp;</a>',
    '<a>& </a>',
    '<a>&#x110000;</a>',
    '<a>&constructor;</a>',
    '<!DOCTYPE a><a/>',
    '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
    '<a><!ENTITY x SYSTEM "file:///etc/passwd"></a>',
  ])('T16: refuses %j', (xml) => {
    expect(read(xml)).toBeNull();
  });

  it('T16: refuses what is far deeper or larger than metadata, and reads a mebibyte of anything in its time', () => {
    expect(read('<a>'.repeat(200) + '</a>'.repeat(200))).toBeNull();
    expect(read(`<a>${'<b/>'.repeat(20_000)}</a>`)).toBeNull();
    for (const unit of [
      '<',
      '<a',
      '<a>',
      ' ',
      '&',
      '&lt;',
      '<!--',
      '<![CDATA[',
      '<a b="',
      ' a="1"',
      '</a',
      '<?',
      '&#1',
    ]) {
      for (const start of ['', '<a>', '<a ']) read(start + unit.repeat(2 ** 20 / unit.length));
    }
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('<', '>', '/', 'a', ' ', '"', '=', '&', ';', '!', '-', '[', '?')),
        (parts) => {
          read(parts.join(''));
        },
      ),
    );
  });
});
