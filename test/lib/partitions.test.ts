import { describe, expect, it } from 'vitest';
import { parseArn } from '../../src/lib/arn.ts';
import { domainOf, PARTITION_NAMES, partitionOf, readFrontHost } from '../../src/lib/partitions.ts';

describe('partitionOf and domainOf', () => {
  it.each([
    ['us-east-1', 'aws', 'amazonaws.com'],
    ['eu-central-1', 'aws', 'amazonaws.com'],
    ['mx-central-1', 'aws', 'amazonaws.com'],
    ['xx-new-1', 'aws', 'amazonaws.com'],
    ['cn-north-1', 'aws-cn', 'amazonaws.com.cn'],
    ['us-gov-west-1', 'aws-us-gov', 'amazonaws.com'],
    ['eusc-de-east-1', 'aws-eusc', 'amazonaws.eu'],
    ['us-iso-east-1', 'aws-iso', 'c2s.ic.gov'],
    ['us-isob-east-1', 'aws-iso-b', 'sc2s.sgov.gov'],
    ['eu-isoe-west-1', 'aws-iso-e', 'cloud.adc-e.uk'],
    ['us-isof-south-1', 'aws-iso-f', 'csp.hci.ic.gov'],
  ])('put %s into %s, under %s', (region, partition, domain) => {
    expect(partitionOf(region)).toBe(partition);
    expect(domainOf(partitionOf(region))).toBe(domain);
  });

  it('know the same partitions as parseArn', () => {
    for (const name of PARTITION_NAMES)
      expect(parseArn(`arn:${name}:iam::111122223333:role/R`).ok, name).toBe(true);
  });
});

describe('readFrontHost', () => {
  it.each([
    ['abc123.execute-api.eu-central-1.amazonaws.com', 'abc123', 'execute-api', 'eu-central-1'],
    ['abc123.execute-api.cn-north-1.amazonaws.com.cn', 'abc123', 'execute-api', 'cn-north-1'],
    ['abc123.execute-api.eusc-de-east-1.amazonaws.eu', 'abc123', 'execute-api', 'eusc-de-east-1'],
    ['abc123.execute-api.us-iso-east-1.c2s.ic.gov', 'abc123', 'execute-api', 'us-iso-east-1'],
    ['abc123.lambda-url.us-east-1.on.aws', 'abc123', 'lambda-url', 'us-east-1'],
  ])('reads id, service and region of %s', (host, id, service, region) => {
    expect(readFrontHost(host)).toEqual({ id, service, region });
  });

  it.each([
    'tvm.example.com',
    'abc.execute-api.eu-central-1.amazonaws.com.evil.example',
    'abc.execute-api.eu-central-1.amazonawsxcom',
    'abc.lambda-url.us-east-1.amazonaws.com',
    'abc.execute-api.us-east-1.on.aws',
    'a.b.execute-api.us-east-1.amazonaws.com',
    'execute-api.us-east-1.amazonaws.com',
    '',
  ])('reads nothing from "%s"', (host) => {
    expect(readFrontHost(host)).toBeUndefined();
  });
});
