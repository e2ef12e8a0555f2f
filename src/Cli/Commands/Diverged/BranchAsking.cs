using System.CommandLine;
using Mirror.Cli.Output;
using Mirror.Node.Configuration;
using Mirror.Node.Wire;
using Mirror.Store.Versions;

namespace Mirror.Cli.Commands.Diverged;

/// <summary>The options of a command that is about one branch.</summary>
internal sealed class BranchOptions
{
    private readonly Argument<string> label = new("branch") { Description = "Its last version, such as 3.14; `mirror diverged list` shows them." };
    private readonly Option<string?> config = ClusterOptions.Config();
    private readonly Option<string?> member = ClusterOptions.Member();
    private readonly Option<string?> site = ClusterOptions.Site();

    public Command AddTo(Command command)
    {
        command.Add(label);
        command.Add(config);
        command.Add(member);
        command.Add(site);
        return command;
    }

    /// <summary>Whoever is asked first says which node has the branch; that one is asked then, unless a node was named.</summary>
    public async Task<BranchAsking> OpenAsync(ParseResult parsed, CancellationToken cancellation)
    {
        var wanted = Asking.ParseVersion(parsed.GetValue(label)!);
        var asking = Asking.Open(parsed.GetValue(config), parsed.GetValue(member), suits: found => found.Kind == MemberKind.Node);
        try
        {
            var name = ClusterOptions.SiteOf(asking.Config, parsed.GetValue(site));
            var here = parsed.GetValue(member) is not null;
            var reply = await asking.Client.ListDivergedAsync(new DivergedRequest { Site = name, OnlyHere = here }, deadline: Deadlines.Soon(), cancellationToken: cancellation);
            var found = reply.Branches.OrderByDescending(branch => branch.Node == asking.Member).FirstOrDefault(branch => Asking.ToId(branch.Label) == wanted)
                ?? throw new CommandException(NotFound(name, wanted, here ? asking.Member : null, reply));
            if (found.Node != asking.Member)
            {
                var other = Asking.Open(parsed.GetValue(config), found.Node);
                asking.Dispose();
                asking = other;
            }

            return new BranchAsking(asking, name, found);
        }
        catch
        {
            asking.Dispose();
            throw;
        }
    }

    private static string NotFound(string site, VersionId wanted, string? node, DivergedReply reply)
    {
        var around = reply.Branches.FirstOrDefault(branch => branch.Versions.Any(version => Asking.ToId(version.Id) == wanted));
        var known = reply.Branches.Count == 0 ? "there is none" : $"there {(reply.Branches.Count == 1 ? "is" : "are")} {string.Join(", ", reply.Branches.Select(branch => $"{VersionText.Name(branch.Label)} on {branch.Node}"))}";
        return around is not null ? $"{wanted} is a version of the diverged branch {VersionText.Name(around.Label)} on {around.Node}. Name that."
            : $"{node ?? "no node that answers"} has {(node is null ? "a" : "no")} diverged branch {wanted} of {site}; {known}.{(reply.Silent.Count > 0 ? $" No answer from {string.Join(", ", reply.Silent)}." : "")}";
    }
}

/// <summary>The node that keeps a branch, and the branch as it says.</summary>
internal sealed class BranchAsking(Asking asking, string site, DivergedBranch branch) : IDisposable
{
    public string Site => site;

    public string Node => branch.Node;

    public DivergedBranch Branch => branch;

    public Control.ControlClient Client => asking.Client;

    public void Dispose() => asking.Dispose();
}
