using System.Globalization;
using Mirror.Node.Configuration;

namespace Mirror.Leadership.Membership;

/// <summary>How often members speak to each other, and how long they are content with silence.</summary>
/// <param name="Heartbeat">Between two signs of life.</param>
/// <param name="Pause">Longest pause of them that means nothing; a little later the member counts as out of reach.</param>
/// <param name="FirstAnswer">How long the first sign may take.</param>
/// <param name="Gossip">Between two rounds of gossip about who is there; what the members hold goes somewhat faster.</param>
/// <param name="Seeds">How long a member that begins waits for one that is there.</param>
internal sealed record Pace(TimeSpan Heartbeat, TimeSpan Pause, TimeSpan FirstAnswer, TimeSpan Gossip, TimeSpan Seeds)
{
    private static readonly Pace lan = new(TimeSpan.FromMilliseconds(250), TimeSpan.FromMilliseconds(1500), TimeSpan.FromSeconds(1), TimeSpan.FromMilliseconds(300), TimeSpan.FromSeconds(2));
    private static readonly Pace wan = new(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(3), TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(5));

    public static Pace Of(NetworkProfile profile) => profile == NetworkProfile.Wan ? wan : lan;

    /// <summary>Of what the members hold.</summary>
    public TimeSpan News => Gossip * 2 / 3;

    /// <summary>As the actor system's settings say it.</summary>
    public static string Text(TimeSpan span) => string.Create(CultureInfo.InvariantCulture, $"{span.TotalMilliseconds:0}ms");
}
