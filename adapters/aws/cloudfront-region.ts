/** CloudFront has one endpoint per partition, and requests are signed for its region. `region` is any of the same partition. */
export function cloudFrontRegion(region: string): string {
  return region.startsWith('cn-') ? 'cn-northwest-1' : 'us-east-1';
}
