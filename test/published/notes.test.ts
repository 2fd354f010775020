import { beforeEach, expect, test } from 'vitest';
import { readNote, writeNote } from '../../src/published/notes.js';
import { newPlace } from '../packsign.js';
import type { Place } from '../packsign.js';

/** A note that is damaged must not make a directory one that nobody knows: the keys beside its database prove nothing. */
let place: Place;

const CHAIN = { files: new Map([['demo-1.0.zip', 'b'.repeat(64)]]), records: [] };

const NOTE = {
  ...{ fingerprints: ['A'.repeat(40)], threshold: 1 },
  ...{ issued: new Date('2026-01-01T00:00:00Z'), sha256: 'a'.repeat(64) },
};

beforeEach(() => {
  place = newPlace();
  place.write('dist/x', '');
});

function damage(change: (note: Record<string, unknown>) => void): string {
  writeNote(place.path('notes'), place.path('dist'), { ...NOTE, chain: () => CHAIN });
  const name = Object.keys(place.snapshot('notes')).find((one) => one.endsWith('.json')) ?? '';
  const note = JSON.parse(place.text(`notes/${name}`)) as Record<string, unknown>;
  change(note);
  place.write(`notes/${name}`, JSON.stringify(note));
  return name;
}

test('a note that was written is read again', () => {
  damage(() => undefined);
  expect(readNote(place.path('notes'), place.path('dist'))).toMatchObject(NOTE);
  expect(readNote(place.path('notes'), place.path('gone'))).toBeNull();
});

test.each([
  ['directory', ['/elsewhere', 1, null]],
  ['fingerprints', [[], ['ABCD'], [1], 'A'.repeat(40), {}, ['A'.repeat(40), 'A'.repeat(40)]]],
  ['threshold', [0, -1, 1.5, 2, 1e9, '1', null]],
  ['issued', ['2026-02-30T00:00:00Z', 5, null, '']],
  ['sha256', ['ABCD', 5, null]],
])('S13: a note with another %s is an error that names the file and the field', (field, values) => {
  for (const value of values as readonly unknown[]) {
    const name = damage((note) => {
      note[field] = value;
    });
    const message = expect.stringMatching(new RegExp(`${name}.*${field}: `)) as string;
    expect(() => readNote(place.path('notes'), place.path('dist'))).toThrow(
      expect.objectContaining({ code: 'TRUST_DAMAGED', message }),
    );
  }
});
