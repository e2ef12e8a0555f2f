using Microsoft.Extensions.Logging;
using Mirror.Leadership.Membership;
using Mirror.Leadership.Voting;
using Mirror.Node.Apps;
using Mirror.Node.Channels;
using Mirror.Node.Configuration;
using Mirror.Primary.Publish;
using Mirror.Store.Versions;

namespace Mirror.Cli.Hosting;

/// <summary>Everything one site on one node works with.</summary>
internal sealed record SiteContext(
    MirrorConfig Config, MemberConfig Member, SiteConfig Site, VersionStore Store, IElection Election, ICatalogue Catalogue, IEpochGate Epochs,
    PeerChannels Peers, SiteApps Apps, ServedSites Served, SiteStatus Status, TimeProvider Time, ILogger Logger)
{
    /// <summary>Where this site keeps what it has on this node.</summary>
    public static string DirectoryOf(MemberConfig member, string site) => Path.Combine(member.State, "sites", site);

    /// <summary>Finished database dumps, between captures.</summary>
    public string Spool => Path.Combine(DirectoryOf(Member, Site.Name), "dumps");
}
