import { beforeEach, describe, expect, test } from 'vitest';
import { PacksignError } from '../../src/errors.js';
import { storeSettings } from '../../src/stores/settings.js';
import { newPlace } from '../packsign.js';
import type { Place } from '../packsign.js';

let place: Place;

beforeEach(() => {
  place = newPlace();
});

const KEY = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret' };

const settings = (env: Readonly<Record<string, string>> = {}) =>
  storeSettings({ HOME: place.path('home'), ...env });

function refusal(env: Readonly<Record<string, string>> = {}): string {
  try {
    settings(env);
  } catch (error) {
    if (error instanceof PacksignError) return `${error.code} ${error.message}; ${error.hint ?? ''}`;
  }
  return 'none';
}

function configure(config: string, credentials = ''): void {
  place.write('home/.aws/config', config);
  place.write('home/.aws/credentials', credentials);
}

describe('settings of a store', () => {
  test('are those of the environment, an empty variable as good as none', () => {
    const env = { ...KEY, AWS_SESSION_TOKEN: 'token', AWS_REGION: '', AWS_DEFAULT_REGION: 'eu-north-1' };
    expect(
      settings({
        ...env,
        AWS_ENDPOINT_URL: 'https://a.example',
        AWS_ENDPOINT_URL_S3: 'http://b.example:1/x',
      }),
    ).toEqual({
      credentials: { accessKeyId: 'id', secretAccessKey: 'secret', sessionToken: 'token' },
      ...{
        region: 'eu-north-1',
        endpoint: 'http://b.example:1/x',
        addressing: 'auto',
        authorities: null,
      },
    });
  });

  test('are those of a profile, of which the credentials win over the rest', () => {
    configure(
      `# comment
[default]
region = no
[profile  "work"]
region=eu-west-3 ; with a comment
aws_secret_access_key = other
ca_bundle = /etc/own.pem
services = store
s3 =
  addressing_style = virtual
  max_concurrent_requests = 3
output = json
[services store]
ec2 =
  endpoint_url = https://ec2.example
s3 =
  endpoint_url = https://s3.example
`,
      '[work]\r\naws_access_key_id = id\r\naws_secret_access_key = se=c#ret\r\n[other]\naws_access_key_id = no\n',
    );
    expect(settings({ AWS_PROFILE: 'work' })).toEqual({
      credentials: { accessKeyId: 'id', secretAccessKey: 'se=c#ret', sessionToken: null },
      ...{ region: 'eu-west-3', endpoint: 'https://s3.example/', addressing: 'virtual' },
      authorities: '/etc/own.pem',
    });
  });

  test('of the environment win over those of a profile, and keys never mix', () => {
    configure('[default]\nregion = eu-west-3\nendpoint_url = https://a.example\naws_session_token = no\n');
    const { credentials, region, endpoint } = settings({
      ...KEY,
      AWS_REGION: 'x-1',
      AWS_ENDPOINT_URL: 'https://b.example',
    });
    expect([credentials.sessionToken, region, endpoint]).toEqual([null, 'x-1', 'https://b.example/']);
  });

  test('name a region, unless they name a store', () => {
    expect(refusal(KEY)).toBe(
      'DESTINATION_FAILED the region of the bucket is not set; set AWS_REGION, for instance AWS_REGION=eu-central-1',
    );
    expect(settings({ ...KEY, AWS_ENDPOINT_URL: 'http://127.0.0.1:1' }).region).toBe('us-east-1');
    expect(refusal({ ...KEY, AWS_REGION: 'evil.example/' })).toContain('"evil.example/" is not a region');
  });

  test.each([
    ['sso_session = x', 'single sign-on'],
    ['role_arn = x', 'roles'],
    ['credential_process = /bin/false', 'credential_process'],
  ])('that want %s say what does it', (line, words) => {
    configure(`[profile work it]\n${line}\n`);
    expect(refusal({ AWS_PROFILE: 'work it' })).toBe(
      `DESTINATION_FAILED packsign does not do ${words} itself; let the AWS tools do it: eval "$(aws configure export-credentials --format env --profile 'work it')"`,
    );
  });

  test('that are incomplete or wrong are refused, without what may be secret', () => {
    expect(refusal()).toContain('no key given for the bucket');
    expect(refusal({ AWS_ACCESS_KEY_ID: 'id' })).toContain('there is no AWS_SECRET_ACCESS_KEY');
    expect(refusal({ AWS_PROFILE: 'none' })).toContain('there is no profile none');
    const odd = refusal({ ...KEY, AWS_SESSION_TOKEN: 'hush\nhush' });
    expect([
      odd.startsWith('DESTINATION_FAILED the key for the bucket has characters'),
      odd.includes('hush'),
    ]).toEqual([true, false]);
    for (const endpoint of ['s3.example', 'ftp://s3.example', 'https://user:hush@s3.example']) {
      const text = refusal({ ...KEY, AWS_ENDPOINT_URL: endpoint });
      expect([
        text.startsWith('USAGE the endpoint of the store is not an address'),
        text.includes('hush'),
      ]).toEqual([true, false]);
    }
  });

  test('T37: are never read from the current folder', () => {
    const relative = { AWS_REGION: 'x-1', AWS_PROFILE: 'default' };
    expect(refusal({ ...relative, HOME: '' })).toContain('there is no profile default');
    expect(refusal({ ...relative, AWS_CONFIG_FILE: 'config' })).toContain(
      'AWS_CONFIG_FILE is not an absolute path',
    );
    expect(refusal({ ...relative, HOME: '', AWS_SHARED_CREDENTIALS_FILE: '~/credentials' })).not.toBe('none');
  });

  test('may lie elsewhere', () => {
    place.write(
      'home/own',
      '[default]\naws_access_key_id = id\naws_secret_access_key = secret\nregion = x-1\n',
    );
    expect(settings({ AWS_SHARED_CREDENTIALS_FILE: '~/own' }).region).toBe('x-1');
  });
});
