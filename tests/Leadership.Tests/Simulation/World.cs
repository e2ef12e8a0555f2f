using Mirror.Leadership.Core;

namespace Mirror.Leadership.Tests.Simulation;

/// <summary>
/// A whole cluster with one seed: some minutes of trouble, then peace. Everything that happens follows from the seed, and after every step the
/// <see cref="Truth"/>, which stands outside of all processes, is asked whether a promise was broken.
/// </summary>
internal sealed class World
{
    /// <summary>Seconds without trouble at the end, within which everything must be well again.</summary>
    public const double Peace = 24;

    private readonly PriorityQueue<Action, Moment> events = new(512);
    private long order;

    public World(int seed, Rulebook book, bool onlyBlips = false, Func<Climate, Climate>? weather = null)
    {
        Seed = seed;
        Random = new Random(seed);
        Climate = onlyBlips ? Climate.OfBlips(Random) : Climate.Of(Random);
        Climate = onlyBlips ? Climate : WithOperators(Climate, new Random(~seed));
        Climate = weather?.Invoke(Climate) ?? Climate;
        Book = book;
        var rules = Climate.Rules;
        Machines = new Machine[rules.Voters.Count];
        for (var index = 0; index < Machines.Length; index++)
        {
            Machines[index] = new Machine(this, rules.Voters[index], index, index < rules.Nodes.Count);
        }

        Network = new Network(this, Machines.Length);
        Truth = new Truth(this);
    }

    public int Seed { get; }
    public Random Random { get; }
    public Climate Climate { get; }
    public SiteRules Rules => Climate.Rules;
    public Rulebook Book { get; }
    public Machine[] Machines { get; }
    public Network Network { get; }
    public Truth Truth { get; }
    public Tally Tally { get; } = new();
    public double Time { get; private set; }
    public bool IsPeace => Time >= Climate.Trouble;

    /// <exception cref="BrokenPromiseException">Says which promise was broken, and how.</exception>
    public void Run()
    {
        var end = Climate.Trouble + Peace;
        var root = Machines[0].Disk;
        root.IsLive = true;
        root.Uncaptured = 1;
        foreach (var machine in Machines)
        {
            After(Random.NextDouble() * 0.5, machine.Start);
        }

        new Faults(this).Begin();
        try
        {
            while (events.TryDequeue(out var happening, out var moment) && moment.Time <= end)
            {
                Time = moment.Time;
                happening();
                Tally.Events++;
            }

            Time = end;
            Truth.CheckThatAllIsWell();
        }
        finally
        {
            Tally.Seconds = Time;
        }
    }

    public void After(double seconds, Action happening) => events.Enqueue(happening, new Moment(Time + seconds, order++));

    public Machine Of(string name)
    {
        foreach (var machine in Machines)
        {
            if (ReferenceEquals(machine.Name, name))
            {
                return machine;
            }
        }

        throw new ArgumentException($"No machine is called {name}.", nameof(name));
    }

    /// <summary>Short times are as likely as long ones: what breaks at a tenth of a lease is met as often as what breaks at three leases.</summary>
    public double Between(double least, double most) => least * Math.Pow(most / least, Random.NextDouble());

    // By a chance of their own: whether somebody gives orders changes nothing of the weather.
    private static Climate WithOperators(Climate climate, Random random) => climate with
    {
        Rules = climate.Rules with { Block = TimeSpan.FromSeconds(random.Next(3) == 0 ? 1 + (random.NextDouble() * 7) : 0) },
        Orders = random.Next(3) == 0 ? 0.02 + (random.NextDouble() * 0.1) : 0,
    };

    private readonly struct Moment(double time, long order) : IComparable<Moment>
    {
        public double Time => time;

        public int CompareTo(Moment other)
        {
            var byTime = time.CompareTo(other.Time);
            return byTime != 0 ? byTime : order.CompareTo(other.Order);
        }

        private long Order => order;
    }
}
