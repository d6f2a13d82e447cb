/**
 * The partitions of AWS, as in the tables of botocore and the SDKs: the names of their regions, and
 * the domain of their endpoints.
 * https://github.com/boto/botocore/blob/develop/botocore/data/partitions.json
 */
const PARTITIONS = {
  aws: { regions: /^(?:us|eu|ap|sa|ca|me|af|il|mx)-[a-z]+-\d+$/u, suffix: 'amazonaws.com' },
  'aws-cn': { regions: /^cn-[a-z]+-\d+$/u, suffix: 'amazonaws.com.cn' },
  'aws-us-gov': { regions: /^us-gov-[a-z]+-\d+$/u, suffix: 'amazonaws.com' },
  'aws-eusc': { regions: /^eusc-[a-z]+-[a-z]+-\d+$/u, suffix: 'amazonaws.eu' },
  'aws-iso': { regions: /^us-iso-[a-z]+-\d+$/u, suffix: 'c2s.ic.gov' },
  'aws-iso-b': { regions: /^us-isob-[a-z]+-\d+$/u, suffix: 'sc2s.sgov.gov' },
  'aws-iso-e': { regions: /^eu-isoe-[a-z]+-\d+$/u, suffix: 'cloud.adc-e.uk' },
  'aws-iso-f': { regions: /^us-isof-[a-z]+-\d+$/u, suffix: 'csp.hci.ic.gov' },
} as const;

/** A partition of AWS: accounts, regions and endpoints that are separate from all others. */
export type Partition = keyof typeof PARTITIONS;

/** The names of all partitions. */
export const PARTITION_NAMES = Object.keys(PARTITIONS) as readonly Partition[];

/**
 * The partition of a region, by the region's name; commercial AWS for an unknown form of name, as
 * in the SDKs.
 */
export function partitionOf(region: string): Partition {
  return PARTITION_NAMES.find((name) => PARTITIONS[name].regions.test(region)) ?? 'aws';
}

/** The domain of a partition's endpoints, like `amazonaws.com`. */
export function domainOf(partition: Partition): string {
  return PARTITIONS[partition].suffix;
}

const DOMAINS = [...new Set(PARTITION_NAMES.map(domainOf))].map((domain) =>
  domain.replaceAll('.', String.raw`\.`),
);

const FRONT = new RegExp(
  String.raw`^([a-z0-9-]+)\.(?:(execute-api)\.([a-z0-9-]+)\.(?:${DOMAINS.join('|')})|(lambda-url)\.([a-z0-9-]+)\.on\.aws)$`,
  'u',
);

/**
 * The API of API Gateway, or the Function URL, that a host name belongs to; undefined for every
 * other host.
 */
export function readFrontHost(
  hostname: string,
): { readonly id: string; readonly service: string; readonly region: string } | undefined {
  const [, id, api, apiRegion, functionUrl, urlRegion] = FRONT.exec(hostname) ?? [];
  const [service, region] = [api ?? functionUrl, apiRegion ?? urlRegion];
  return id === undefined || service === undefined || region === undefined
    ? undefined
    : { id, service, region };
}
