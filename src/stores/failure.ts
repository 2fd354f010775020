import { readXml } from '../archives/xml.js';
import { PacksignError } from '../errors.js';
import { networkError } from '../net/failure.js';
import { prospectFor } from '../net/transport.js';

/** What a store answers that does not do what it was asked. */
export interface Refusal {
  readonly status: number;
  /** Its word for the reason, such as `NoSuchBucket`; empty if it gives none. */
  readonly code: string;
  readonly message: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The region in which the bucket is, if the store says so. */
  readonly region: string | null;
}

const TEXT_LIMIT = 200;

/** Reads the body of a refusal. */
export function refusalFrom(body: Buffer, { status, headers }: Pick<Refusal, 'status' | 'headers'>): Refusal {
  const elements = readXml(body) ?? [];
  const text = (name: string) =>
    (elements.find(({ path }) => path === `Error/${name}`)?.text ?? '').slice(0, TEXT_LIMIT);
  const region = headers['x-amz-bucket-region'] ?? text('Region');
  return {
    ...{ status, headers, code: text('Code'), message: text('Message') },
    region: /^[a-z0-9-]+$/i.test(region) ? region : null,
  };
}

/** Whether the store has no such object. */
export function isAbsent({ status, code }: Refusal): boolean {
  return status === 404 && code !== 'NoSuchBucket';
}

export interface Asked {
  /** What was tried: `write lantern-1.0.tar.gz`. */
  readonly doing: string;
  readonly destination: string;
  readonly bucket: string;
  readonly host: string;
  readonly region: string;
  readonly now: Date;
}

/** What a refusal means to the user; worth another attempt if its cause says so (`prospectOf`). */
export function explained(refusal: Refusal, asked: Asked): PacksignError {
  const { status, code, message, headers } = refusal;
  const prospect = prospectFor(status, headers);
  const isPassing = !prospect.isFinal || code === 'RequestTimeout';
  const said = [code, message].filter((text) => text !== '').join(': ') || `status ${status}`;
  const words = `cannot ${asked.doing} at ${asked.destination}: ${asked.host} says ${said}`;
  if (isPassing) return networkError(words, 'try again later', { ...prospect, isFinal: false });
  const [reason, hint] = reasonFor(refusal, asked) ?? [null, null];
  const text = reason === null ? words : `cannot ${asked.doing} at ${asked.destination}: ${reason}`;
  return new PacksignError('DESTINATION_FAILED', text, {
    hint: hint ?? 'check the address of the store, the bucket and the permissions of the key',
  });
}

type Reason = readonly [reason: string, hint: string];

function reasonFor({ status, code, headers, region }: Refusal, asked: Asked): Reason | null {
  const { bucket, host } = asked;
  const isElsewhere = status === 301 || status === 307 || code === 'AuthorizationHeaderMalformed';
  if (isElsewhere && region !== null && region !== asked.region) {
    return [
      `the bucket ${bucket} is in the region ${region}, not ${asked.region}`,
      `set AWS_REGION=${region}`,
    ];
  }
  if (status >= 300 && status < 400) {
    return [
      `${host} redirects requests for the bucket ${bucket}`,
      'set AWS_REGION and AWS_ENDPOINT_URL_S3 to where it is',
    ];
  }
  switch (code) {
    case 'RequestTimeTooSkewed':
      return [
        `the clock of this machine (${asked.now.toUTCString()}) differs from that of ${host}${'date' in headers ? ` (${headers['date'] ?? ''})` : ''}`,
        'set the clock, and publish again',
      ];
    case 'NoSuchBucket':
      return [
        `there is no bucket ${bucket} at ${host}`,
        'make it, or check its name and AWS_ENDPOINT_URL_S3',
      ];
    case 'InvalidAccessKeyId':
      return [
        `${host} does not know the key of AWS_ACCESS_KEY_ID`,
        'check the key, its profile and the endpoint',
      ];
    case 'SignatureDoesNotMatch':
      return [
        `${host} refuses the signature of the request: the secret key is wrong`,
        'check AWS_SECRET_ACCESS_KEY, or the profile',
      ];
    case 'ExpiredToken':
    case 'ExpiredTokenException':
      return [
        'the session has expired',
        'get new credentials: eval "$(aws configure export-credentials --format env)"',
      ];
    case 'AccessDenied':
      return [
        `${host} says AccessDenied: the key lacks a permission`,
        `allow it s3:ListBucket and s3:GetObject in the bucket ${bucket}, and to publish there s3:PutObject and s3:DeleteObject`,
      ];
    default:
      return null;
  }
}
