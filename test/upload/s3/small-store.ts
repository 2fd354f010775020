import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A bucket `bucket` in memory that speaks enough of S3 for what Swift cannot do. It checks hashes, not signatures. */

export interface Asked {
  readonly method: string;
  readonly key: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
}

export interface Told {
  readonly status: number;
  readonly code?: string;
  readonly extra?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface SmallStore {
  readonly url: string;
  readonly objects: Map<
    string,
    {
      readonly bytes: Buffer;
      readonly headers: IncomingMessage['headers'];
      /** That the store keeps since it took the object, in base64, as S3 writes it. */
      readonly sha256?: string;
      /** `COMPOSITE` is that of parts. */
      readonly checksumType?: 'FULL_OBJECT' | 'COMPOSITE';
      /** When it was written; now unless told. */
      readonly modified?: Date;
    }
  >;
  /** Uploads in parts that have neither ended nor been given up. */
  readonly uploads: Map<string, Map<number, Buffer>>;
  /** The keys for which they are. */
  readonly uploadKeys: Map<string, string>;
  readonly asked: Asked[];
  /** Answers in the place of the store, cuts the connection, or never answers; null leaves it to the store. */
  meddle: (asked: Asked) => Told | 'cut' | 'silence' | null;
  /** Called when an answer is ready, before it is sent: true cuts the connection instead. */
  cutAfter: (asked: Asked) => boolean;
  pageKeys: number;
  /** What an answer waits for. */
  hold: (asked: Asked) => Promise<void>;
  readonly stop: () => Promise<void>;
}

const xml = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
/** As S3 writes it. */
export const sha256Of = (bytes: Buffer) => createHash('sha256').update(bytes).digest('base64');
export const etagOf = (bytes: Buffer) => `"${createHash('md5').update(bytes).digest('hex')}"`;

export async function startSmallStore(): Promise<SmallStore> {
  const objects: SmallStore['objects'] = new Map();
  const uploads: SmallStore['uploads'] = new Map();
  const uploadKeys: SmallStore['uploadKeys'] = new Map();
  const store = {
    objects,
    uploads,
    uploadKeys,
    asked: [] as Asked[],
    pageKeys: 1000,
  };
  const server = createServer(
    (request, response) => void handle(request, response).catch(() => request.socket.destroy()),
  );
  const own: SmallStore = {
    ...store,
    url: '',
    meddle: () => null,
    cutAfter: () => false,
    hold: () => Promise.resolve(),
    stop: async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = request;
    const { pathname, searchParams: query } = new URL(url, 'http://store');
    const key = decodeURIComponent(pathname.replace(/^\/bucket\/?/, ''));
    const asked = { method, key, query, headers };
    own.asked.push(asked);
    const told = own.meddle(asked);
    if (told === 'cut') request.socket.destroy();
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    await own.hold(asked);
    const body = Buffer.concat(chunks);
    if (told === 'silence') return;
    const answer = told === 'cut' ? null : (told ?? act(asked, body));
    if (answer === null || own.cutAfter(asked)) {
      request.socket.destroy();
      return;
    }
    const { status, code, extra = '', headers: more = {} } = answer;
    response.writeHead(status, { 'content-type': 'application/xml', ...more });
    const text =
      code === undefined ? '' : `<Error><Code>${code}</Code><Message>by the test</Message>${extra}</Error>`;
    response.end('body' in answer ? answer.body : text);
  }

  function act(
    { method, key, query, headers }: Asked,
    body: Buffer,
  ): Told & { readonly body?: Buffer | string } {
    const sha256 = createHash('sha256').update(body).digest('hex');
    if (headers['x-amz-content-sha256'] !== sha256) return { status: 400, code: 'XAmzContentSHA256Mismatch' };
    const there = objects.get(key);
    if (method === 'GET' && query.has('uploads')) return { status: 200, body: uploadsFor(query) };
    if (method === 'GET' && query.has('uploadId')) return { status: 200, body: partsOf(query) };
    if (method === 'GET' && key === '') return { status: 200, body: listOf(query) };
    if (method === 'GET' || method === 'HEAD') {
      if (there === undefined) return { status: 404, code: 'NoSuchKey' };
      const modified = (there.modified ?? new Date()).toUTCString();
      const own = { etag: etagOf(there.bytes), 'last-modified': modified };
      // As S3 does: only if it is asked for, and only with the whole object.
      const isAsked = headers['x-amz-checksum-mode'] === 'ENABLED' && headers.range === undefined;
      const kept =
        isAsked && there.sha256 !== undefined
          ? {
              'x-amz-checksum-sha256': there.sha256,
              'x-amz-checksum-type': there.checksumType ?? 'FULL_OBJECT',
            }
          : {};
      const { 'if-match': wanted = own.etag, range = '' } = headers;
      if (wanted !== own.etag) return { status: 412, code: 'PreconditionFailed' };
      const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(range) ?? [];
      if (method === 'HEAD') {
        return { status: 200, headers: { ...own, ...kept, 'content-length': String(there.bytes.length) } };
      }
      if (from === undefined) return { status: 200, headers: { ...own, ...kept }, body: there.bytes };
      const part = there.bytes.subarray(Number(from), Number(to) + 1);
      return part.length === 0
        ? { status: 416, code: 'InvalidRange' }
        : { status: 206, headers: own, body: part };
    }
    const uploadId = query.get('uploadId') ?? '';
    if (method === 'DELETE') {
      if (uploadId === '') objects.delete(key);
      else uploads.delete(uploadId);
      return { status: 204 };
    }
    if (method === 'POST' && query.has('uploads')) {
      const id = `upload ${uploadKeys.size + 1}`;
      uploads.set(id, new Map());
      uploadKeys.set(id, key);
      return {
        status: 200,
        body: `<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`,
      };
    }
    const given = headers['x-amz-checksum-sha256'];
    if (given !== undefined && given !== sha256Of(body)) return { status: 400, code: 'BadDigest' };
    const parts = uploads.get(uploadId);
    if (uploadId !== '' && parts === undefined) return { status: 404, code: 'NoSuchUpload' };
    if (method === 'PUT' && parts !== undefined) {
      parts.set(Number(query.get('partNumber')), body);
      return { status: 200, headers: { etag: etagOf(body) } };
    }
    const etag = there === undefined ? null : etagOf(there.bytes);
    const { 'if-match': match, 'if-none-match': none } = headers;
    if ((none === '*' && etag !== null) || (match !== undefined && match !== etag)) {
      return { status: 412, code: 'PreconditionFailed' };
    }
    const bytes =
      parts === undefined
        ? body
        : Buffer.concat([...parts].sort(([a], [b]) => a - b).map(([, part]) => part));
    const { 'x-amz-checksum-sha256': sum } = headers;
    objects.set(key, { bytes, headers, ...(typeof sum === 'string' ? { sha256: sum } : {}) });
    uploads.delete(uploadId);
    const done = '<CompleteMultipartUploadResult><ETag>"x-2"</ETag></CompleteMultipartUploadResult>';
    return { status: 200, headers: { etag: etagOf(bytes) }, body: parts === undefined ? '' : done };
  }

  function uploadsFor(query: URLSearchParams): string {
    const own = [...uploads.keys()].filter((id) =>
      (uploadKeys.get(id) ?? '').startsWith(query.get('prefix') ?? ''),
    );
    const items = own.map(
      (id, each) =>
        `<Upload><Key>${xml(uploadKeys.get(id) ?? '')}</Key><UploadId>${id}</UploadId><Owner><ID>x</ID></Owner><Initiated>2026-01-01T00:00:0${each}.000Z</Initiated></Upload>`,
    );
    return `<ListMultipartUploadsResult>${items.join('')}</ListMultipartUploadsResult>`;
  }

  /** Two on a page. */
  function partsOf(query: URLSearchParams): string {
    const after = Number(query.get('part-number-marker') ?? 0);
    const all = [...(uploads.get(query.get('uploadId') ?? '') ?? [])].sort(([a], [b]) => a - b);
    const left = all.filter(([number]) => number > after);
    const items = left
      .slice(0, 2)
      .map(
        ([number, part]) =>
          `<Part><PartNumber>${number}</PartNumber><ETag>${xml(etagOf(part))}</ETag><Size>${part.length}</Size></Part>`,
      );
    const next = left.length > 2 ? `<NextPartNumberMarker>${left[1]?.[0] ?? 0}</NextPartNumberMarker>` : '';
    return `<ListPartsResult><IsTruncated>${left.length > 2}</IsTruncated>${next}${items.join('')}</ListPartsResult>`;
  }

  function listOf(query: URLSearchParams): string {
    const keys = [...objects.keys()].filter((key) => key.startsWith(query.get('prefix') ?? '')).sort();
    const from = Number(query.get('continuation-token') ?? 0);
    const to = from + Math.min(own.pageKeys, Number(query.get('max-keys') ?? 1000));
    const contents = keys.slice(from, to).map((key) => {
      const { bytes } = objects.get(key) ?? { bytes: Buffer.of() };
      return `<Contents><Key>${encodeURIComponent(key).replaceAll('%2F', '/').replaceAll('%20', '+')}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><Size>${bytes.length}</Size><ETag>${xml(etagOf(bytes))}</ETag></Contents>`;
    });
    const more = to < keys.length;
    return `<?xml version="1.0"?>\n<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>${more}</IsTruncated>${more ? `<NextContinuationToken>${to}</NextContinuationToken>` : ''}${contents.join('')}</ListBucketResult>`;
  }

  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return Object.assign(own, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
}
