import { expect, test } from 'vitest';
import type { PacksignError } from '../../src/errors.js';
import { parseQueue } from '../../src/model/queue-address.js';

test('an address says host, port, database, TLS and login; the login is not shown', () => {
  expect(parseQueue('redis://queue.example.org')).toEqual({
    ...{ host: 'queue.example.org', port: 6379, username: '', password: '', database: 0, isTls: false },
    shown: 'redis://queue.example.org',
  });
  expect(parseQueue('rediss://ann:p%40ss%2F@queue.example.org:7000/3')).toEqual({
    ...{
      host: 'queue.example.org',
      port: 7000,
      username: 'ann',
      password: 'p@ss/',
      database: 3,
      isTls: true,
    },
    shown: 'rediss://queue.example.org:7000/3',
  });
  expect(parseQueue('redis://:pw@[::1]:7000')).toMatchObject({
    ...{ host: '::1', port: 7000, username: '', password: 'pw', shown: 'redis://[::1]:7000' },
  });
});

test.each([
  ...[
    '',
    'queue.example.org',
    'queue.example.org:6379',
    'http://queue.example.org',
    'redis://',
    'redis:///3',
  ],
  ...['redis://hush@', 'redis://:hush@host/x', 'redis://:hush@host/3/4', 'redis://:hush@host?db=3'],
  ...[
    'redis://:hush/x@host',
    'redis://:hush#x@host',
    'redis://:hush%@host',
    'redis://:hush@host:99999',
    ' redis://host',
  ],
])('USAGE: %s, and no part of it is repeated', (text) => {
  let message = '';
  try {
    parseQueue(text);
  } catch (error) {
    const { message: said, hint } = error as PacksignError;
    message = `${said} ${hint ?? ''}`;
  }
  expect(message).toContain('the address of the queue is none such as redis://HOST:6379');
  expect(message).not.toContain('hush');
});
