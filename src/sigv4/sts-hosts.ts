import { domainOf, partitionOf, type Partition } from '../lib/partitions.ts';

/**
 * The regions of AWS STS, by partition. Callers sign GetCallerIdentity for one of these. A region
 * that a client names is looked up here, and never becomes part of a host name itself.
 * https://docs.aws.amazon.com/general/latest/gr/sts.html
 */
const COMMERCIAL = [
  'af-south-1',
  'ap-east-1',
  'ap-east-2',
  'ap-northeast-1',
  'ap-northeast-2',
  'ap-northeast-3',
  'ap-south-1',
  'ap-south-2',
  'ap-southeast-1',
  'ap-southeast-2',
  'ap-southeast-3',
  'ap-southeast-4',
  'ap-southeast-5',
  'ap-southeast-6',
  'ap-southeast-7',
  'ca-central-1',
  'ca-west-1',
  'eu-central-1',
  'eu-central-2',
  'eu-north-1',
  'eu-south-1',
  'eu-south-2',
  'eu-west-1',
  'eu-west-2',
  'eu-west-3',
  'il-central-1',
  'me-central-1',
  'me-south-1',
  'mx-central-1',
  'sa-east-1',
  'us-east-1',
  'us-east-2',
  'us-west-1',
  'us-west-2',
] as const;

const REGIONS: Readonly<Record<Partition, readonly string[]>> = {
  aws: COMMERCIAL,
  'aws-cn': ['cn-north-1', 'cn-northwest-1'],
  'aws-us-gov': ['us-gov-east-1', 'us-gov-west-1'],
  'aws-eusc': ['eusc-de-east-1'],
  'aws-iso': ['us-iso-east-1', 'us-iso-west-1'],
  'aws-iso-b': ['us-isob-east-1', 'us-isob-west-1'],
  'aws-iso-e': ['eu-isoe-west-1'],
  'aws-iso-f': ['us-isof-east-1', 'us-isof-south-1'],
};

/** The STS host of a region: `sts.<region>.` and the domain of its partition. */
export function stsHost(region: string): string {
  return `sts.${region}.${domainOf(partitionOf(region))}`;
}

/**
 * The hosts that callers may sign for, by region, of one partition. A `Map`, so `__proto__` is not
 * a region.
 */
export type StsHosts = {
  readonly partition: Partition;
  readonly byRegion: ReadonlyMap<string, string>;
};

/**
 * The table for a TVM in the region `home`.
 *
 * @param extra regions that are newer than this table; those of another partition are left out
 */
export function stsHosts(home: string, extra: readonly string[]): StsHosts {
  const partition = partitionOf(home);
  const regions = [...REGIONS[partition], home, ...extra].filter(
    (region) => partitionOf(region) === partition,
  );
  return { partition, byRegion: new Map(regions.map((region) => [region, stsHost(region)])) };
}
