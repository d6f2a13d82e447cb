import { describe, expect, it } from 'vitest';
import { isReachable } from '../../src/notify/addresses.ts';

describe('isReachable', () => {
  it.each(['203.0.113.7', '10.1.2.3', '172.16.0.1', '192.168.1.1', '2001:db8::1', 'fd12:3456::1'])(
    'lets %s be connected to',
    (address) => {
      expect(isReachable(address, false)).toBe(true);
    },
  );

  it.each([
    '169.254.169.254',
    '169.254.170.2',
    '169.254.170.23',
    '169.254.0.1',
    '100.100.100.200',
    '192.0.0.192',
    'fd00:ec2::254',
    'fd00:ec2::23',
    'fe80::1',
    'fe80::1%eth0',
    'fec0::1',
    '0.0.0.0',
    '0.1.2.3',
    '::',
    '224.0.0.1',
    '255.255.255.255',
    'ff02::1',
    '::ffff:169.254.169.254',
    '::ffff:a9fe:a9fe',
    '::ffff:10.0.0.1',
    '::ffff:127.0.0.1',
    '::127.0.0.1',
    '64:ff9b::a9fe:a9fe',
    '64:ff9b:1::a9fe:a9fe',
    '2002:a9fe:a9fe::1',
    'receiver.example',
    '',
  ])('never lets %s be, not even on a desk', (address) => {
    expect(isReachable(address, false)).toBe(false);
    expect(isReachable(address, true)).toBe(false);
  });

  it.each(['127.0.0.1', '127.255.255.254', '::1', '0:0:0:0:0:0:0:1'])(
    'lets %s be on a desk only',
    (address) => {
      expect(isReachable(address, false)).toBe(false);
      expect(isReachable(address, true)).toBe(true);
    },
  );
});
