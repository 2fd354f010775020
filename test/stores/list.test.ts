import { expect, test } from 'vitest';
import type { Answer } from '../../src/net/reply.js';
import { listKeys } from '../../src/stores/list.js';
import type { Store } from '../../src/stores/store.js';

/** A store that has these pages, by token, and what it was asked for. */
function storeOf(pages: Readonly<Record<string, string>>) {
  const asked: string[] = [];
  const store: Store = {
    urlOf: (key) => `https://store.example/bucket/${key}`,
    ask: async ({ query }, use) => {
      const token = query?.['continuation-token'] ?? '';
      asked.push(token);
      const page = pages[token];
      if (page === undefined) throw new Error(`no page ${token}`);
      const chunks = [Buffer.from(`<ListBucketResult>${page}</ListBucketResult>`)];
      const body = (async function* () {
        await Promise.resolve();
        yield* chunks;
      })();
      const answer = { status: 200, headers: {}, body, cancel: () => undefined } as unknown as Answer;
      return { kind: 'done', value: await use(answer) };
    },
  };
  const list = async () => Array.from((await listKeys(store, 'dist/')).keys());
  return { asked, list };
}

const file = (name: string) =>
  `<Contents><Key>dist/${name}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>"e"</ETag><Size>1</Size></Contents>`;
const more = (token: string) =>
  `<IsTruncated>true</IsTruncated><NextContinuationToken>${token}</NextContinuationToken>`;

test('each page of a list is asked for once', async () => {
  const { asked, list } = storeOf({
    '': file('a') + more('1'),
    1: more('eC9k/+==') + file('b'),
    'eC9k/+==': file('c'),
  });
  expect(await list()).toEqual(['a', 'b', 'c']);
  expect(asked).toEqual(['', '1', 'eC9k/+==']);
});

test('a token may have any characters', async () => {
  const { asked, list } = storeOf({ '': file('a') + more('x&amp;y z'), 'x&y z': file('b') });
  expect(await list()).toEqual(['a', 'b']);
  expect(asked).toEqual(['', 'x&y z']);
});

test('the token that counts is the one of the list, not what looks like it', async () => {
  const { asked, list } = storeOf({
    '': `<!-- ${more('no-page')} -->${file('a')}${more('2')}`,
    2: `${file('b')}<IsTruncated>false</IsTruncated><NextContinuationToken>end</NextContinuationToken>`,
  });
  expect(await list()).toEqual(['a', 'b']);
  expect(asked).toEqual(['', 'no-page', '2', 'end']);
});

test('a page that does not come ends the list, and so does one that leads to itself', async () => {
  await expect(storeOf({ '': file('a') + more('2') }).list()).rejects.toThrow('no page 2');
  const circle = storeOf({ '': file('a') + more('2'), 2: file('b') + more('2') });
  await expect(circle.list()).rejects.toMatchObject({ code: 'DESTINATION_FAILED' });
});
