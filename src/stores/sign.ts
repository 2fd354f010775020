import type { Credentials } from './settings.js';

export interface Signable {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** SHA-256 of the body. */
  readonly sha256: string;
}

export type Sign = (request: Signable) => Promise<Readonly<Record<string, string>>>;

export interface SigningOptions {
  readonly credentials: Credentials;
  readonly region: string;
  readonly clock: () => Date;
}

/** Signs requests as S3 wants it (AWS Signature Version 4). Returns the headers to send. */
export function makeSign({ credentials, region, clock }: SigningOptions): Sign {
  const { accessKeyId, secretAccessKey, sessionToken } = credentials;
  const cache = new Map<string, ArrayBuffer>();
  return async ({ method, url, headers, sha256 }) => {
    const { AwsV4Signer } = await import('aws4fetch');
    const signer = new AwsV4Signer({
      ...{ method, url, region, cache, accessKeyId, secretAccessKey, service: 's3', allHeaders: true },
      ...(sessionToken === null ? {} : { sessionToken }),
      headers: { ...headers, 'x-amz-content-sha256': sha256 },
      datetime: clock()
        .toISOString()
        .replace(/[:-]|\.\d{3}/g, ''),
    });
    return Object.fromEntries((await signer.sign()).headers);
  };
}
