import { isAbsolute, join } from 'node:path';
import { readBounded } from '../disk/files.js';
import { PacksignError } from '../errors.js';
import { shellWord } from '../model/shell.js';
import { readIni } from './ini.js';
import type { Sections } from './ini.js';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string | null;
}

/** How a store is reached, and who asks. */
export interface StoreSettings {
  readonly credentials: Credentials;
  readonly region: string;
  /** Without buckets; null for that of AWS in the region. */
  readonly endpoint: string | null;
  /** Where the bucket is named: in the path, in the host, or where it fits. */
  readonly addressing: 'path' | 'virtual' | 'auto';
  /** A file of TLS authorities; null for those of every connection. */
  readonly authorities: string | null;
}

type Profile = (key: string) => string | null;

const LIMIT_BYTES = 1024 * 1024;

/**
 * Reads the settings of the AWS tools: environment, `~/.aws/credentials`, `~/.aws/config`. Throws DESTINATION_FAILED where
 * something is missing, or is given in a way that packsign does not know, and USAGE for values that mean nothing.
 */
export function storeSettings(environment: Environment): StoreSettings {
  const given = (...names: readonly string[]) =>
    names.map((name) => (environment[name] ?? '').trim()).find((value) => value !== '') ?? null;
  const name = given('AWS_PROFILE', 'AWS_DEFAULT_PROFILE');
  const { profile, services } = profileIn(environment, name);
  const endpoint =
    given('AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL') ??
    services('s3.endpoint_url') ??
    profile('endpoint_url');
  const region = given('AWS_REGION', 'AWS_DEFAULT_REGION') ?? profile('region');
  const addressing = profile('s3.addressing_style') ?? 'auto';
  return {
    credentials: credentialsIn(given, profile, name),
    // Stores of one place take any, above all this one.
    region: checkedRegion(region ?? (endpoint === null ? null : 'us-east-1')),
    endpoint: endpoint === null ? null : parseEndpoint(endpoint),
    addressing: addressing === 'path' || addressing === 'virtual' ? addressing : 'auto',
    authorities: given('AWS_CA_BUNDLE') ?? profile('ca_bundle'),
  };
}

function credentialsIn(
  given: (name: string) => string | null,
  profile: Profile,
  name: string | null,
): Credentials {
  const isGiven = given('AWS_ACCESS_KEY_ID') !== null || given('AWS_SECRET_ACCESS_KEY') !== null;
  const value = (key: string) => (isGiven ? given(key.toUpperCase()) : profile(key));
  const [accessKeyId, secretAccessKey] = [value('aws_access_key_id'), value('aws_secret_access_key')];
  const sessionToken = value('aws_session_token');
  if (accessKeyId !== null && secretAccessKey !== null) {
    // They become parts of headers; messages do not name them.
    if ([accessKeyId, secretAccessKey, sessionToken ?? '-'].every((text) => /^[\x21-\x7e]+$/.test(text))) {
      return { accessKeyId, secretAccessKey, sessionToken };
    }
    throw unusable('the key for the bucket has characters that no key has', 'copy it again');
  }
  if (accessKeyId !== null || secretAccessKey !== null) {
    const missing = accessKeyId === null ? 'aws_access_key_id' : 'aws_secret_access_key';
    throw unusable(`there is no ${isGiven ? missing.toUpperCase() : missing}`, 'set both parts of the key');
  }
  const other = OTHER_WAYS.find(([key]) => profile(key) !== null || given(key) !== null);
  const ours = `aws configure export-credentials --format env${name === null ? '' : ` --profile ${shellWord(name)}`}`;
  if (other !== undefined) {
    throw unusable(`packsign does not do ${other[1]} itself`, `let the AWS tools do it: eval "$(${ours})"`);
  }
  throw unusable(
    'no key given for the bucket',
    `set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; or let the AWS tools do it: eval "$(${ours})"`,
  );
}

/** Ways to get credentials that the AWS tools know, and their names. */
const OTHER_WAYS: readonly (readonly [key: string, name: string])[] = [
  ['sso_session', 'single sign-on'],
  ['sso_start_url', 'single sign-on'],
  ['role_arn', 'roles'],
  ['credential_process', 'credential_process'],
  ['login_session', 'aws login'],
  ['AWS_WEB_IDENTITY_TOKEN_FILE', 'web identities'],
  ['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI', 'credentials of containers'],
  ['AWS_CONTAINER_CREDENTIALS_FULL_URI', 'credentials of containers'],
];

function profileIn(environment: Environment, name: string | null): { profile: Profile; services: Profile } {
  const config = sectionsIn(environment, 'AWS_CONFIG_FILE', 'config');
  const credentials = sectionsIn(environment, 'AWS_SHARED_CREDENTIALS_FILE', 'credentials');
  const wanted = name ?? 'default';
  const sections = [
    credentials.get(wanted),
    config.get(`profile ${wanted}`),
    ...(wanted === 'default' ? [config.get('default')] : []),
  ].filter((section) => section !== undefined);
  if (name !== null && sections.length === 0) {
    throw unusable(
      `there is no profile ${name}`,
      'check AWS_PROFILE and the sections of ~/.aws/config and ~/.aws/credentials',
    );
  }
  const profile = (key: string) =>
    sections.map((section) => section.get(key) ?? '').find((value) => value !== '') ?? null;
  const services = config.get(`services ${profile('services') ?? ''}`);
  return { profile, services: (key) => services?.get(key) ?? null };
}

function sectionsIn(environment: Environment, variable: string, name: string): Sections {
  const home = environment['HOME'] ?? environment['USERPROFILE'] ?? '';
  const typed = environment[variable] ?? '';
  const path = typed === '' ? join(home, '.aws', name) : typed.replace(/^~(?=[/\\])/, home);
  // A relative one would be of the current folder, which may be a download (threat T37).
  if (isAbsolute(path)) return readIni(readBounded(path, LIMIT_BYTES)?.toString() ?? '');
  if (typed === '') return new Map();
  throw new PacksignError('USAGE', `${variable} is not an absolute path: ${typed}`);
}

function parseEndpoint(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  const isPlain = url?.username === '' && url.password === '' && url.search === '' && url.hash === '';
  if (url !== null && isPlain && ['http:', 'https:'].includes(url.protocol)) return url.href;
  // What it holds may be a password.
  throw new PacksignError(
    'USAGE',
    'the endpoint of the store is not an address such as https://s3.example.org',
    {
      hint: 'check AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL and endpoint_url in ~/.aws/config',
    },
  );
}

/** It becomes a part of a host name. */
function checkedRegion(region: string | null): string {
  if (region === null) {
    throw unusable(
      'the region of the bucket is not set',
      'set AWS_REGION, for instance AWS_REGION=eu-central-1',
    );
  }
  if (/^[a-z0-9][a-z0-9-]*$/i.test(region)) return region;
  throw new PacksignError('USAGE', `"${region}" is not a region`, {
    hint: 'check AWS_REGION and AWS_DEFAULT_REGION',
  });
}

function unusable(message: string, hint: string): PacksignError {
  return new PacksignError('DESTINATION_FAILED', message, { hint });
}
