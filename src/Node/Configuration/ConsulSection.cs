using Mirror.Node.Consul;

namespace Mirror.Node.Configuration;

/// <summary><c>cluster.consul</c>, read and written.</summary>
internal static class ConsulSection
{
    private const string DefaultPrefix = "mirror";

    /// <summary>Null when there is no such section.</summary>
    public static ConsulConfig? Read(Section cluster)
    {
        if (!cluster.Has("consul"))
        {
            return null;
        }

        var section = cluster.Child("consul");
        var text = section.Text("address", "http://127.0.0.1:8500");
        if (!Uri.TryCreate(text, UriKind.Absolute, out var address) || address.Scheme is not ("http" or "https") || address.PathAndQuery != "/" || address.UserInfo.Length > 0)
        {
            section.Fault("address", $"'{text}' is not the address of an agent.", "Write scheme, host and port: http://127.0.0.1:8500, or https://… with `ca`.");
            address = new Uri("http://127.0.0.1:8500");
        }

        var agent = new ConsulAgent(address, File(section, "token-file"), File(section, "ca"), File(section, "certificate"), File(section, "key"));
        if (agent.Certificate is null != agent.Key is null)
        {
            section.Fault(agent.Key is null ? "certificate" : "key", "A certificate is shown with its key, and a key with its certificate.", "Write both `certificate` and `key`, or neither.");
        }

        if (address.Scheme == "http" && (agent.Ca ?? agent.Certificate) is not null)
        {
            section.Fault("address", "Certificates are named, and the address is plain http.", "Write https:// and the agent's port for it, 8501 by default.");
        }

        var prefix = section.Text("prefix", DefaultPrefix);
        if (prefix.Length > 200 || prefix.Split('/').Any(static part => part.Length == 0 || !part.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.')))
        {
            section.Fault("prefix", $"'{prefix}' cannot be a prefix of keys.", "Write letters, digits, '-', '_' and '.', with single slashes between: mirror, or apps/mirror.");
        }

        var config = new ConsulConfig(agent, section.Flag("arbiter", true), prefix);
        section.Close();
        return config;
    }

    /// <summary>What <c>{node}</c> means in it, for the member that reads the file.</summary>
    public static ConsulConfig ForMember(ConsulConfig consul, Func<string, string> replace)
    {
        return consul with
        {
            Agent = consul.Agent with { TokenFile = Replaced(consul.Agent.TokenFile), Ca = Replaced(consul.Agent.Ca), Certificate = Replaced(consul.Agent.Certificate), Key = Replaced(consul.Agent.Key) },
        };

        string? Replaced(string? path) => path is null ? null : replace(path);
    }

    public static void Write(ConfigWriter.Text text, ConsulConfig consul)
    {
        text.Comment(1, "The agent on this machine: members and sites are services there.");
        text.Line(1, "consul:");
        text.Pair(2, "address", consul.Agent.Address.GetLeftPart(UriPartial.Authority));
        foreach (var (key, path) in new[] { ("token-file", consul.Agent.TokenFile), ("ca", consul.Agent.Ca), ("certificate", consul.Agent.Certificate), ("key", consul.Agent.Key) })
        {
            if (path is not null)
            {
                text.Pair(2, key, path);
            }
        }

        text.Comment(2, "Its locks say who is primary, and no votes.");
        text.Pair(2, "arbiter", consul.Arbiter ? "true" : "false");
        text.Pair(2, "prefix", consul.Prefix);
    }

    private static string? File(Section section, string key) => section.Has(key) ? section.AbsolutePath(key) : null;
}
