/**
 * The regional endpoints of AWS STS, where callers of each partition sign GetCallerIdentity. A region that a client names
 * never becomes part of a host name: only what stands in the table does.
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

const CHINA = ['cn-north-1', 'cn-northwest-1'] as const;

const GOVERNMENT = ['us-gov-east-1', 'us-gov-west-1'] as const;

/** A partition of AWS whose callers can be known by forwarded STS. */
export type StsPartition = 'aws' | 'aws-cn' | 'aws-us-gov';

const PARTITIONS: Readonly<Record<StsPartition, { readonly regions: readonly string[]; readonly suffix: string }>> = {
  aws: { regions: COMMERCIAL, suffix: 'amazonaws.com' },
  'aws-cn': { regions: CHINA, suffix: 'amazonaws.com.cn' },
  'aws-us-gov': { regions: GOVERNMENT, suffix: 'amazonaws.com' },
};

/** The partition that a region's name shows; AWS names regions of China `cn-…` and of GovCloud `us-gov-…`. */
const partitionOfRegion = (region: string): StsPartition => {
  if (region.startsWith('cn-')) return 'aws-cn';
  return region.startsWith('us-gov-') ? 'aws-us-gov' : 'aws';
};

/** The host that a client signs for in a region: `sts.<region>.amazonaws.com`, in China with `.cn`. */
export const stsHost = (region: string): string => `sts.${region}.${PARTITIONS[partitionOfRegion(region)].suffix}`;

/** Where callers may sign: hosts by region, of one partition. A `Map`, so that `__proto__` is no region. */
export type StsHosts = { readonly partition: StsPartition; readonly byRegion: ReadonlyMap<string, string> };

/**
 * The table for a TVM whose own region is `home`.
 *
 * @param extra regions that are newer than this table; those of another partition than `home` are left out
 */
export const stsHosts = (home: string, extra: readonly string[]): StsHosts => {
  const partition = partitionOfRegion(home);
  const regions = [...PARTITIONS[partition].regions, home, ...extra].filter(
    (region) => partitionOfRegion(region) === partition,
  );
  return { partition, byRegion: new Map(regions.map((region) => [region, stsHost(region)])) };
};
