import { describe, expect, it } from 'vitest';
import { agreementOf } from '../../src/consume/agreement.js';
import type { AskedDatabase, DatabaseAnswer } from '../../src/consume/agreement.js';
import type { Lookup } from '../../src/model/lookup.js';
import { database } from '../threats/scene.js';

type Kind = Lookup['kind'];
type Status = AskedDatabase['status'];

function answer([kind, status = 'authentic']: readonly [Kind, Status?], name: number): DatabaseAnswer {
  const contents = database();
  const asked = {
    ...{ name: String(name), database: String(name), status, code: null, message: null, sha256: null },
    ...{ accepted: null, signatures: [], notify: null, contents, notices: [] },
  };
  const [path, entry] = Array.from(contents.Files)[0]!;
  const withdrawal = { SHA256: entry.SHA256, Until: entry.Since };
  return { database: asked, lookup: { kind, path, entry, withdrawal, reason: 'burns' } };
}

const agreement = (...all: readonly (readonly [Kind, Status?])[]) => {
  const { answers, isAmbiguous } = agreementOf(all.map(answer));
  return { said: answers.map(({ lookup, database: by }) => `${lookup.kind} ${by.name ?? ''}`), isAmbiguous };
};

const BAD: readonly Kind[] = ['yanked', 'withdrawn', 'altered'];

describe('databases', () => {
  it('that do not know a file say nothing', () => {
    expect(agreement(['unknown'], ['listed'])).toEqual({ said: ['listed 1'], isAmbiguous: false });
    expect(agreement(['unknown'], ['unknown'])).toEqual({ said: [], isAmbiguous: false });
    expect(agreement()).toEqual({ said: [], isAmbiguous: false });
  });

  it('that list the same bytes agree, under whatever name; the best answer comes first', () => {
    expect(agreement(['renamed'], ['listed', 'stale'], ['listed'])).toEqual({
      ...{ said: ['listed 2', 'listed 1', 'renamed 0'], isAmbiguous: false },
    });
  });

  it.each(BAD)('that say the same agree: %s', (kind) => {
    expect(agreement([kind], [kind, 'stale']).isAmbiguous).toBe(false);
  });

  it.each(BAD.flatMap((kind) => (['listed', 'renamed'] as const).map((other) => [kind, other] as const)))(
    'contradict each other: %s and %s; the bad answer comes first, whoever is asked first',
    (kind, other) => {
      expect(agreement([kind], [other])).toEqual({ said: [`${kind} 0`, `${other} 1`], isAmbiguous: true });
      expect(agreement([other], [kind])).toEqual({ said: [`${kind} 1`, `${other} 0`], isAmbiguous: true });
      expect(agreement([other], [kind, 'stale']).isAmbiguous).toBe(true);
    },
  );

  it('contradict each other in what is bad about a file', () => {
    expect(agreement(['yanked'], ['withdrawn']).isAmbiguous).toBe(true);
    expect(agreement(['altered'], ['yanked']).isAmbiguous).toBe(true);
  });

  it.each(BAD)('for which nobody vouches neither contradict a signed one nor vouch: %s', (kind) => {
    expect(agreement([kind, 'unauthenticated'], ['listed'])).toEqual({
      ...{ said: ['listed 1'], isAmbiguous: false },
    });
    expect(agreement(['listed', 'unauthenticated'], [kind])).toEqual({
      ...{ said: [`${kind} 1`], isAmbiguous: false },
    });
    expect(agreement(['listed', 'unauthenticated'], ['unknown'])).toEqual({
      ...{ said: ['listed 0'], isAmbiguous: false },
    });
  });
});

describe('a database that gave a file away', () => {
  const [OUTER, INNER] = [
    'https://example.org/dist/packages.plist',
    'https://example.org/dist/sub/packages.plist',
  ];
  const BYTES = Array.from(database().Files.values())[0]!;

  /** What is said of a file that one database withdrew, and that another one lists: `a.zip`, which was `sub/a.zip`. */
  function moved({
    url = INNER,
    vouchedFor = INNER,
    record = BYTES.SHA256,
    kind = 'listed' as Kind,
    more = [] as string[],
  }) {
    const [before, after] = [answer(['withdrawn'], 0), answer([kind], 1)];
    const records = [...more, record].map((SHA256) => ({ SHA256, Until: BYTES.Since }));
    const contents = database();
    const Packsign = {
      ...contents.Packsign,
      Trusts: [{ URL: vouchedFor, Fingerprints: ['A'.repeat(40)] }],
      History: new Map([['sub/a.zip', records]]),
    };
    const outer = { ...before.database, database: OUTER, contents: { ...contents, Packsign } };
    const lookup = { ...after.lookup, path: 'a.zip', entry: BYTES } as Lookup;
    const { answers, isAmbiguous } = agreementOf([
      { database: outer, lookup: { ...before.lookup, path: 'sub/a.zip' } as Lookup },
      { database: { ...after.database, database: url }, lookup },
    ]);
    return { said: answers.map(({ lookup: { kind: said } }) => said), isAmbiguous };
  }

  it('says nothing about it', () => {
    expect(moved({})).toEqual({ said: ['listed'], isAmbiguous: false });
    expect(moved({ vouchedFor: 'https://EXAMPLE.org/dist/sub' })).toEqual({
      said: ['listed'],
      isAmbiguous: false,
    });
    expect(moved({ kind: 'yanked' })).toEqual({ said: ['yanked'], isAmbiguous: false });
  });

  it.each([
    ['does not vouch for the other one', { vouchedFor: 'https://example.org/dist/other/' }],
    [
      'withdrew it at another address',
      { url: 'https://example.org/sub/packages.plist', vouchedFor: 'https://example.org/sub/' },
    ],
    ['recorded other bytes there', { record: '0'.repeat(64) }],
    ['withdrew these bytes before others', { more: [BYTES.SHA256], record: '0'.repeat(64) }],
  ])('contradicts one that lists it if it %s', (_, how) => {
    expect(moved(how)).toEqual({ said: ['withdrawn', 'listed'], isAmbiguous: true });
  });

  it('says nothing either if it gave the file to one that gave it on', () => {
    const DEEP = new URL('old/packages.plist', INNER).href;
    const gave = (address: string, path: string, to: string) => {
      const { database: asked, lookup } = answer(['withdrawn'], 0);
      const contents = database();
      const Packsign = {
        ...contents.Packsign,
        Trusts: [{ URL: to, Fingerprints: ['A'.repeat(40)] }],
        History: new Map([[path, [{ SHA256: BYTES.SHA256, Until: BYTES.Since }]]]),
      };
      const said = { ...asked, database: address, contents: { ...contents, Packsign } };
      return { database: said, lookup: { ...lookup, path } as Lookup };
    };
    const last = answer(['listed'], 2);
    const listed = {
      database: { ...last.database, database: DEEP },
      lookup: { ...last.lookup, path: 'a.zip', entry: BYTES } as Lookup,
    };
    const [outer, inner] = [gave(OUTER, 'sub/old/a.zip', INNER), gave(INNER, 'old/a.zip', DEEP)];
    expect(agreementOf([outer, inner, listed])).toMatchObject({ answers: [listed], isAmbiguous: false });
    expect(agreementOf([outer, listed]).isAmbiguous).toBe(true);
  });

  it('agrees with nobody who has other bytes', () => {
    expect(moved({ kind: 'altered' }).isAmbiguous).toBe(true);
  });
});
