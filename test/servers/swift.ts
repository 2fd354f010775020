import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import type { ServerPlan } from '../net/servers.js';

/** The region, and somebody who may do everything. */
export const S3_LOGIN = { region: 'us-east-1', accessKey: 'tester', secretKey: 'testing' } as const;

/**
 * OpenStack Swift with its S3 interface at the last of its ports, with objects in memory, and with the conditional
 * writes of S3 (`If-None-Match: *`, `If-Match`), which Swift refuses.
 */
export const swift: ServerPlan = {
  program: '/usr/bin/python3:swift',
  keepsUser: true,
  portCount: 4,
  files: ({ home }) => ({
    'swift.conf': '[swift-hash]\nswift_hash_path_suffix = test\n',
    'account.conf': configuration(home, 'account-server', {
      'app:account-server': ['use = egg:swift#account'],
    }),
    'container.conf': configuration(home, 'container-server', {
      'app:container-server': ['use = egg:swift#container'],
    }),
    // An update that took longer would be lost.
    'object.conf': configuration(home, 'object-server', {
      'app:object-server': ['use = egg:swift#mem_object', 'container_update_timeout = 60'],
    }),
    'proxy.conf': configuration(
      home,
      'catch_errors adapt listing_formats bulk s3api tempauth conditions copy slo dlo proxy-server',
      {
        ...Object.fromEntries(
          ['catch_errors', 'listing_formats', 'bulk', 'copy', 'slo', 'dlo'].map((name) => [
            `filter:${name}`,
            [`use = egg:swift#${name}`],
          ]),
        ),
        'filter:adapt': ['paste.filter_factory = swift_server:adapt'],
        'filter:conditions': ['paste.filter_factory = swift_server:apply_conditions'],
        'filter:s3api': ['use = egg:swift#s3api', `location = ${S3_LOGIN.region}`],
        'filter:tempauth': [
          'use = egg:swift#tempauth',
          `user_test_${S3_LOGIN.accessKey} = ${S3_LOGIN.secretKey} .admin`,
        ],
        'app:proxy-server': [
          'use = egg:swift#proxy',
          'account_autocreate = true',
          'recoverable_node_timeout = 60',
        ],
      },
    ),
  }),
  // -B: it leaves no compiled file in the folder of the tests.
  args: ({ home, ports }) => ['-B', resolve('test/servers/swift_server.py'), home, ...ports.map(String)],
};

/** What packsign needs in its environment to write there. */
export function environmentFor(address: string): NodeJS.ProcessEnv {
  const { accessKey, region, secretKey } = S3_LOGIN;
  return {
    ...{ AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey },
    ...{ AWS_REGION: region, AWS_ENDPOINT_URL: address },
  };
}

export async function makeBucket(url: string, { isPublic = false } = {}): Promise<void> {
  await put(url, isPublic ? ['-H', 'x-amz-acl: public-read'] : []);
}

/** Puts a file there, by curl. */
export async function putObject(url: string, file: string): Promise<void> {
  await put(url, ['-T', file]);
}

async function put(url: string, args: readonly string[]): Promise<void> {
  const { accessKey, region, secretKey } = S3_LOGIN;
  const who = ['--aws-sigv4', `aws:amz:${region}:s3`, '--user', `${accessKey}:${secretKey}`];
  const unsigned = ['-H', 'x-amz-content-sha256: UNSIGNED-PAYLOAD'];
  await promisify(execFile)('curl', ['-sf', '-X', 'PUT', ...who, ...unsigned, ...args, url]);
}

function configuration(
  home: string,
  pipeline: string,
  sections: Readonly<Record<string, readonly string[]>>,
): string {
  const all = {
    DEFAULT: [
      `swift_dir = ${home}`,
      `devices = ${home}`,
      'mount_check = false',
      'conn_timeout = 30',
      'node_timeout = 60',
    ],
    'pipeline:main': [`pipeline = ${pipeline}`],
    ...sections,
  };
  return Object.entries(all)
    .map(([name, lines]) => `[${name}]\n${lines.join('\n')}\n`)
    .join('\n');
}
